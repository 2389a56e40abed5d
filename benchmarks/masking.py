"""How much personal data is masked, how much else is, and how long a text takes: 1,000 texts in English and Chinese.

The texts are made from a seed. Half hold one to three items to be masked, in forms that people write; the other half
are hard negatives: order numbers as long as phone numbers, cards and IBANs that fail their check digit, ISBN, versions,
dates, timestamps, part numbers. An item is found if all of it is inside of a span of its kind; a span is right if it
overlaps an item. Time is that of the processor, after one pass over all. Who wrote the patterns wrote the sentences
too: on texts of other people expect less.

    python benchmarks/masking.py [--again]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

import cells
from stdnum import iban, luhn
from stdnum.cn import ric
from stdnum.iso7064 import mod_97_10

from deepen.data.masking import find
from deepen.evaluation.statistics import wilson

COMMAND, SEED, TEXTS, PASSES = "python benchmarks/masking.py", 7, 1_000, 5  # seed 0 was looked at
FIRST = "maria john wei priya sean li.na hans olga t.b anne-marie zhang88 kofi_m".split()
HOSTS = "gmail.com example.co.uk qq.com mail.uni-bonn.de corp.example.com 163.com outlook.com foo-bar.io".split()
IBANS = {"DE": "dddddddddddddddddd", "GB": "AAAAdddddddddddddd", "NL": "AAAAdddddddddd", "CH": "ddddddddddddddddd"}
CARDS = {"4": 16, "51": 16, "2221": 16, "37": 15, "6011": 16, "622202": 19, "621700": 19}
Maker = Callable[[random.Random], str]


def digits(chance: random.Random, num: int) -> str:
    """So many digits, the first of them not 0."""
    return chance.choice("123456789") + "".join(chance.choices("0123456789", k=num - 1))


def mail(chance: random.Random) -> str:
    """A mail address."""
    name = chance.choice(FIRST) + chance.choice(["", str(chance.randrange(100)), "+news"])
    return f"{name}@{chance.choice(HOSTS)}" if chance.random() < 0.8 else f"{name.upper()}@{chance.choice(HOSTS)}"


def card(chance: random.Random, *, right: bool = True) -> str:
    """A card number, bare or in groups; or one whose check digit is another."""
    start, length = chance.choice(list(CARDS.items()))
    body = start + "".join(chance.choices("0123456789", k=length - 1 - len(start)))
    last = int(luhn.calc_check_digit(body))
    number = body + str(last if right else (last + chance.randint(1, 9)) % 10)
    style = chance.choice(["", " ", "-"])
    if not style:
        return number
    sizes = [4, 6, 5] if length == 15 else [4, 4, 4, 4, 3]
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    return style.join(filter(None, (number[at : at + size] for at, size in zip(starts, sizes, strict=True))))


def bank(chance: random.Random, *, right: bool = True) -> str:
    """An IBAN, bare or in groups of four; or one that fails its check."""
    while True:
        country = chance.choice(list(IBANS))
        made = "".join(chance.choice("0123456789" if one == "d" else "ABCDEFGHKLMNP") for one in IBANS[country])
        check = mod_97_10.calc_check_digits(made + country)
        number = f"{country}{check if right else f'{(int(check) + chance.randint(1, 90)) % 97:02d}'}{made}"
        if iban.is_valid(number, check_country=False) == right:
            return number if chance.random() < 0.5 else " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def resident(chance: random.Random, *, right: bool = True) -> str:
    """A Chinese resident number; or one that fails its check."""
    place = chance.choice(["110101", "310115", "440305", "510104", "330106", "420111"])
    day = f"{chance.randint(1940, 2010)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"
    body = f"{place}{day}{chance.randint(1, 999):03d}"
    last = ric.calc_check_digit(body + "0")
    return body + (last if right else chance.choice([one for one in "0123456789X" if one != last]))


def passport(chance: random.Random) -> str:
    """A passport number behind the word for it."""
    return chance.choice(
        [f"E{digits(chance, 8)}", digits(chance, 9), f"PA{digits(chance, 7)}", f"G{digits(chance, 8)}"]
    )


def ip(chance: random.Random) -> str:
    """An address of a machine."""
    if chance.random() < 0.75:
        return ".".join(str(chance.randint(1, 254)) for _ in range(4))
    return (
        f"2001:db8:{chance.randrange(4096, 65536):x}::{chance.randrange(4096, 65536):x}:{chance.randrange(1, 65536):x}"
    )


def phone_en(chance: random.Random) -> str:
    """A phone number of North America, Britain, Australia, Ireland or New Zealand."""
    area, middle, last = chance.randint(201, 989), chance.randint(200, 999), f"{chance.randrange(10_000):04d}"
    seven = f"{chance.randrange(10**7):07d}"
    return chance.choice(
        [
            *(f"({area}) {middle}-{last}", f"{area}-{middle}-{last}", f"{area}.{middle}.{last}"),
            f"+1 {area} {middle} {last}",
            *(f"+1-{area}-{middle}-{last}", f"1-{area}-{middle}-{last}", f"{area} {middle} {last}"),
            f"+1{area}{middle}{last}",
            *(f"+44 20 7{seven[:3]} {last}", f"020 7{seven[:3]} {last}", f"07{digits(chance, 3)} {seven[:6]}"),
            *(f"+44 7{digits(chance, 3)} {seven[:6]}", f"+44 (0)20 7{seven[:3]} {last}"),
            f"04{digits(chance, 2)} {seven[:3]} {seven[3:6]}",
            *(f"(02) 9{seven[:3]} {last}", f"+61 4{digits(chance, 2)} {seven[:3]} {seven[3:6]}"),
            f"+353 87 {seven[:3]} {last}",
            *(f"087 {seven[:3]} {last}", f"+64 21 {seven[:3]} {last}", f"021 {seven[:3]} {last}"),
        ]
    )  # fmt: skip


def phone_zh(chance: random.Random) -> str:
    """A mobile or landline number of China."""
    mobile = f"1{chance.choice('3456789')}{digits(chance, 9)}"
    land = digits(chance, 8)
    return chance.choice(
        [
            *(mobile, mobile, f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}", f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}"),
            *(f"+86 {mobile}", f"+86-{mobile}", f"86{mobile}", f"010-{land}", f"021-{land}", f"0755-{land}"),
            f"(020){land}",
            *(f"0571 {land}", f"010-{land}-{chance.randint(100, 9999)}", f"400-{land[:3]}-{land[3:7]}"),
        ]
    )  # fmt: skip


ITEMS: dict[str, dict[str, tuple[Maker, list[str]]]] = {
    "en": {
        "EMAIL_ADDRESS": (mail, ["Please write to {} by Friday.", "My address is {}, thanks!", "cc: {}", "from {}"]),
        "PHONE_NUMBER": (phone_en, [
            "You can reach me on {} after six.", "tel {}", "Phone: {}", "My number is {}.", "{} is mine",
        ]),
        "CREDIT_CARD": (card, ["The card {} was charged twice.", "I paid with {}.", "card number: {}"]),
        "IBAN_CODE": (bank, ["Send the refund to {}, please.", "IBAN: {}", "my account {} at the bank"]),
        "CN_RESIDENT_ID": (resident, ["Her ID number is {}.", "resident id {}"]),
        "PASSPORT": (passport, ["My passport number is {}.", "passport no. {}", "He travels on passport {}"]),
        "IP_ADDRESS": (ip, ["The requests come from {}.", "host {} is down", "I logged in from {} today"]),
    },
    "zh": {
        "EMAIL_ADDRESS": (mail, ["请发到{}，谢谢。", "邮箱是{}", "我的邮箱:{}"]),
        "PHONE_NUMBER": (phone_zh, ["请打{}找我。", "电话：{}", "手机号是{}，晚上在", "我的号码{}"]),
        "CREDIT_CARD": (card, ["卡号{}被扣了两次。", "用{}付的款", "银行卡：{}"]),
        "IBAN_CODE": (bank, ["请退到{}。", "账户 {}"]),
        "CN_RESIDENT_ID": (resident, ["身份证号{}。", "身份证：{}", "我的证件是{}，请核对"]),
        "PASSPORT": (passport, ["护照号码是{}。", "护照：{}", "护照号{}"]),
        "IP_ADDRESS": (ip, ["从{}登录的。", "服务器{}连不上", "IP地址：{}"]),
    },
}  # fmt: skip


def isbn(chance: random.Random) -> str:
    """An ISBN of 13 digits in its parts."""
    return f"978-{chance.choice('0137')}-{digits(chance, 3)}-{digits(chance, 5)}-{chance.randrange(10)}"


def version(chance: random.Random) -> str:
    """A version of three or four numbers."""
    return ".".join(str(chance.randint(0, 40)) for _ in range(chance.choice([3, 4])))


def moment(chance: random.Random) -> str:
    """A day or a moment."""
    year, month, day = chance.randint(1990, 2030), chance.randint(1, 12), chance.randint(1, 28)
    clock = f"{chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
    return chance.choice(
        [
            *(f"{year}-{month:02d}-{day:02d} {clock}", f"{month:02d}/{day:02d}/{year}", f"{year}{month:02d}{day:02d}"),
            *(f"{year}年{month}月{day}日", f"{day:02d}.{month:02d}.{year}", str(chance.randrange(10**12, 2 * 10**12))),
        ]
    )  # fmt: skip


def part(chance: random.Random) -> str:
    """A number of a part."""
    return f"{chance.choice('BCDFX')}{chance.choice('KLMN')}-{digits(chance, 6)}"


def order(chance: random.Random) -> str:
    """An order number: as long as a phone number or a card, and none."""
    return chance.choice(
        [
            *(digits(chance, 10), digits(chance, 12), f"{digits(chance, 3)}-{digits(chance, 7)}-{digits(chance, 7)}"),
            *(f"A{digits(chance, 9)}", f"{digits(chance, 4)}-{digits(chance, 4)}", f"1Z{digits(chance, 16)}"),
            digits(chance, 8),
        ]
    )  # fmt: skip


WRONG: dict[str, list[tuple[Maker, list[str]]]] = {
    "en": [
        (order, ["Where is my order {}?", "order no. {} has not come", "Parcel {} was lost.", "invoice {} is wrong"]),
        (lambda chance: card(chance, right=False), ["Reference {} is not a card.", "It says {} on the label."]),
        (lambda chance: bank(chance, right=False), ["The account {} does not exist.", "contract {}"]),
        (lambda chance: resident(chance, right=False), ["The form rejects {}.", "file {}"]),
        (isbn, ["The book (ISBN {}) fell apart.", "I want {} as a paperback"]),
        (version, ["Since version {} it crashes.", "v{} is slow", "Please go back to release {}.", "build {} fails"]),
        (moment, ["It arrived on {}.", "log of {}: all well", "at {} it stopped"]),
        (part, ["part {} does not fit", "Model {} is loud."]),
        (lambda chance: f"${int(digits(chance, 7)):,}.00", ["They ask {} for it.", "worth {} at most"]),
    ],
    "zh": [
        (order, ["订单{}还没到。", "单号{}查不到", "发票{}错了"]),
        (lambda chance: card(chance, right=False), ["标签上写着{}。", "流水{}"]),
        (lambda chance: resident(chance, right=False), ["系统说{}不对。", "档案{}"]),
        (isbn, ["这本书（ISBN {}）散架了。", "想要{}的平装本"]),
        (version, ["版本{}会闪退。", "升级到{}以后很慢", "v{}不好用"]),
        (moment, ["{}收到的。", "时间：{}", "在{}断线"]),
        (lambda chance: f"{digits(chance, 7)}元", ["要价{}。", "一共{}"]),
        (part, ["零件{}不合适", "型号{}很吵"]),
    ],
}  # fmt: skip


def made(chance: random.Random, *, personal: bool) -> tuple[str, str, list[tuple[int, int, str]]]:
    """A text, its language, and where what is personal stands in it."""
    language = chance.choice(["en", "zh"])
    text, items = "", []
    kinds = chance.sample(list(ITEMS[language]), chance.randint(1, 3)) if personal else [""] * chance.randint(1, 3)
    for kind in kinds:
        make, around = ITEMS[language][kind] if kind else chance.choice(WRONG[language])
        said = make(chance)
        before, _, after = chance.choice(around).partition("{}")
        start = len(text) + len(before)
        if kind:
            items.append((start, start + len(said), kind))
        text += before + said + after + (" " if language == "en" else "；")
    return text, language, items


def main() -> None:
    """Measures, and writes the cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what was missed and what was masked wrongly")
    options = parser.parse_args()
    chance = random.Random(SEED)
    texts = [made(chance, personal=number % 2 == 0) for number in range(TEXTS)]
    counts: dict[str, list[int]] = {}
    for text, language, items in texts:
        spans = find(text)
        for start, end, kind in items:
            hit = any(span.start <= start and end <= span.end and span.kind == kind for span in spans)
            for name in ("", f"_{language}", f"_{kind.lower()}"):
                counts.setdefault(f"recall{name}", [0, 0])
                counts[f"recall{name}"] = [counts[f"recall{name}"][0] + hit, counts[f"recall{name}"][1] + 1]
            if options.show and not hit:
                print("missed", kind, text[start:end], "|", text)
        for span in spans:
            hit = any(span.start < end and start < span.end for start, end, _ in items)
            for name in ("", f"_{language}"):
                counts.setdefault(f"precision{name}", [0, 0])
                counts[f"precision{name}"] = [counts[f"precision{name}"][0] + hit, counts[f"precision{name}"][1] + 1]
            if options.show and not hit:
                print("wrong", span.kind, text[span.start : span.end], "|", text)
    seconds = []
    for _ in range(PASSES):
        began = time.process_time()
        for text, _, _ in texts:
            find(text)
        seconds.append(time.process_time() - began)
    micros = sorted(seconds)[PASSES // 2] / TEXTS * 1e6
    for name, (hits, n) in sorted(counts.items()):
        interval = [round(bound, 4) for bound in wilson(hits, n)]
        cells.write(f"masking.{name}", command=COMMAND, seed=SEED, value=round(hits / n, 4), n=n, interval=interval)
    cells.write(
        "masking.micros",
        command=COMMAND,
        seed=SEED,
        value=round(micros, 1),
        n=TEXTS,
        unit="CPU microseconds a text, warm",
    )


if __name__ == "__main__":
    main()
