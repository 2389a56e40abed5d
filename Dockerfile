# One run behind HTTP, as a user who owns nothing. How to use it: docs/how-to/serve.md
FROM python:3.11-slim AS built
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
# torch first, and without the libraries for NVIDIA cards
RUN python -m venv /opt/deepen \
 && /opt/deepen/bin/pip install --no-cache-dir --no-deps --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
 && /opt/deepen/bin/pip install --no-cache-dir -c constraints.txt '.[serve,export]'

FROM python:3.11-slim
COPY --from=built /opt/deepen /opt/deepen
ENV PATH=/opt/deepen/bin:$PATH PYTHONUNBUFFERED=1 DEEPEN_CACHE=/tmp/deepen HF_HUB_OFFLINE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
# the run and the file of keys are mounted: neither is in the image, and no key is in an argument
ENTRYPOINT ["deepen"]
CMD ["serve", "/run/model", "--host", "0.0.0.0", "--keys", "/run/secrets/deepen-keys"]
