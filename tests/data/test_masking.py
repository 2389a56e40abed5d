"""What is personal is found where it stands, and what only looks like it stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepen.data.masking import KINDS, find, mask

pytest.importorskip("stdnum", reason="masking needs python-stdnum: pip install 'deepen[serve]'")

PERSONAL = {
    "EMAIL_ADDRESS": ["jo.doe+x@mail.example.co.uk", "zhang_san@163.com"],
    "IBAN_CODE": ["GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "fr1420041010050500013m02606"],
    "CN_RESIDENT_ID": ["11010519491231002X", "11010519491231002x", "440524188001010014"],
    "CREDIT_CARD": ["4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005", "3782 822463 10005",
                    "6200000000000005"],
    "IP_ADDRESS": ["192.168.1.20", "8.8.8.8", "2001:db8:85a3::8a2e:370:7334", "fe80::1ff:fe23:4567:890a"],
    "PHONE_NUMBER": [
        *("212-555-0187", "(212) 555-0187", "+1 212 555 0187", "1-212-555-0187", "212.555.0187", "+44 20 7946 0958"),
        *("020 7946 0958", "07700 900123", "07700900123", "+61 412 345 678", "0412 345 678", "1300 975 707"),
        *("+86 138 0013 8000", "13800138000", "138-0013-8000", "010-65529988", "(021) 5555 1234", "0755-86013388"),
        *("+353 87 123 4567", "+27 82 123 4567", "400-810-6666"),
    ],
}  # fmt: skip
STAYS = [
    *("4111 1111 1111 1112", "GB29 NWBK 6016 1331 9268 18", "110105194912310021", "11010519491331002X"),
    "378282246310006",
    *("978-7-111-40701-0", "0-306-40615-2", "ISSN 0378-5955", "2024-03-15 12:30:45", "03/15/2024", "2024年3月15日"),
    *("version 10.0.19.1", "v1.2.3.4", "版本号1.0.3.2", "firmware 4.11.0.2", "1.3.6.1.4.1.311"),
    *("300.1.2.3", "1::2", "12:30:45"),
    *("std::vector<int>", "aa:bb:cc:dd:ee:ff", "icon@2x.png", "git@github.com:a/b", "@somebody", "price $1,250.00"),
    *("order 212-555-0187", "订单号13800138000", "order no. 5412751234123456", "1732780800000", "SKU 010-65529988"),
    *("passport to success", "a passport fee of 130 dollars", "my passport expires 20301231", "E12345678", "100000000"),
    *("6222 0212 3456 7890 124", "4929 1111 0212 0333", "3.14159265358979", "A13800138000", "138001380001"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "said"), [(kind, said) for kind, some in PERSONAL.items() for said in some])
@pytest.mark.parametrize("around", ["{}", "I wrote {} down.", "请联系：{}，谢谢", "({})", "是{}吗"])
def test_what_is_personal_goes(kind: str, said: str, around: str) -> None:
    text = around.format(said)
    found = mask(text)
    assert found.text == around.format(f"<{kind}>")
    assert [text[span.start : span.end] for span in found.spans] == [said]


@pytest.mark.parametrize("said", STAYS)
@pytest.mark.parametrize("around", ["{}", "see {} there", "见{}。"])
def test_what_is_not_stays(said: str, around: str) -> None:
    assert mask(around.format(said)).text == around.format(said)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("My passport number is E12345678, issued here.", "E12345678"),
        ("passport no. 123456789", "123456789"),
        ("护照号码：G61234567", "G61234567"),
        ("US Passport: AB1234567 (new)", "AB1234567"),
        ("Call me at 2125550187 tonight", "2125550187"),
        ("手机号是5550187", "5550187"),
    ],
)
def test_what_only_a_word_before_it_tells(text: str, number: str) -> None:
    [span] = find(text)
    assert text[span.start : span.end] == number
    assert find(number) == []


def test_full_width_forms_and_places() -> None:
    text = "电话：０１０－６５５２９９８８，邮箱ａ＠ｂ．ｃｏｍ"
    found = mask(text)
    assert found.text == "电话：<PHONE_NUMBER>，邮箱<EMAIL_ADDRESS>"
    assert [text[span.start : span.end] for span in found.spans] == ["０１０－６５５２９９８８", "ａ＠ｂ．ｃｏｍ"]


def test_only_some_kinds_and_what_a_task_must_find() -> None:
    text = "a@b.com and 212-555-0187"
    assert mask(text, kinds=["PHONE_NUMBER"]).text == "a@b.com and <PHONE_NUMBER>"
    kept = mask(text, keep=[(12, 15)])
    assert kept.text == "<EMAIL_ADDRESS> and 212-555-0187"
    assert [span.kind for span in kept.kept] == ["PHONE_NUMBER"]


PIECES = st.lists(
    st.one_of(st.sampled_from([one for some in PERSONAL.values() for one in some] + STAYS), st.text(max_size=12)),
    max_size=6,
)


@given(PIECES)
def test_places_lead_back_to_the_text_that_was_given(pieces: list[str]) -> None:
    text = " ; ".join(pieces)
    found = mask(text)
    assert all(span.kind in KINDS and 0 <= span.start < span.end <= len(text) for span in found.spans)
    assert all(one.end <= two.start for one, two in zip(found.spans, found.spans[1:], strict=False))
    at = last = 0
    for span in found.spans:  # what stands between the spans is as it was
        masked = found.text.index(f"<{span.kind}>", at)
        assert found.text[at:masked] == text[last : span.start]
        assert (found.original(masked), found.original(masked + 3)) == (span.start, span.start)
        at, last = masked + len(span.kind) + 2, span.end
        assert found.original(at, end=True) == span.end
        assert found.moved(span.end) == at
        assert found.original(masked + 3, end=True) == span.end
    assert found.text[at:] == text[last:]
    assert all(found.original(found.moved(place)) == place for place in range(last + 1, len(text)))


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "1-", "a@", "a.", "1.", "(0", "+1 ", ":1", "GB29 ", "护照", "call ", "138 ", "４"]
)
def test_a_long_text_takes_no_longer_than_it_is_long(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.process_time()
    mask(text)
    assert time.process_time() - began < 5
