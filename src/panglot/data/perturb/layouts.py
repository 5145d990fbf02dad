"""Keyboards: which character lies on which key, in the layouts that come with operating systems.

Each layout lists its keys as a US keyboard has them, row by row, first without Shift, then with it; ∅ is
a key without a character of its own. They are the national standards as xkeyboard-config has them.
"""

import unicodedata
from functools import cache

from panglot.languages import script

Key = tuple[float, float]  # how far to the right, and which row
ROW_STARTS = (0.0, 1.5, 1.75, 2.25)  # rows of keys are set off against each other
REACH = 1.3  # keys this near are neighbours: those of s are a, d, w, e, z, x
NO_KEY = "∅"

LAYOUTS: dict[str, tuple[str, ...]] = {
    "us": (
        "` 1 2 3 4 5 6 7 8 9 0 - =",
        "q w e r t y u i o p [ ]",
        "a s d f g h j k l ; '",
        "z x c v b n m , . /",
        "~ ! @ # $ % ^ & * ( ) _ +",
        "Q W E R T Y U I O P { }",
        'A S D F G H J K L : "',
        "Z X C V B N M < > ?",
    ),
    "ru": (
        "ё 1 2 3 4 5 6 7 8 9 0 - =",
        "й ц у к е н г ш щ з х ъ",
        "ф ы в а п р о л д ж э",
        "я ч с м и т ь б ю .",
        'Ё ! " № ; % : ? * ( ) _ +',
        "Й Ц У К Е Н Г Ш Щ З Х Ъ",
        "Ф Ы В А П Р О Л Д Ж Э",
        "Я Ч С М И Т Ь Б Ю ,",
    ),
    "uk": (
        "' 1 2 3 4 5 6 7 8 9 0 - =",
        "й ц у к е н г ш щ з х ї",
        "ф і в а п р о л д ж є",
        "я ч с м и т ь б ю .",
        'ʼ ! " № ; % : ? * ( ) _ +',
        "Й Ц У К Е Н Г Ш Щ З Х Ї",
        "Ф І В А П Р О Л Д Ж Є",
        "Я Ч С М И Т Ь Б Ю ,",
    ),
    "bg": (
        "( 1 2 3 4 5 6 7 8 9 0 - .",
        ", у е и ш щ к с д з ц ;",
        "ь я а о ж г т н в м ч",
        "ю й ъ э ф х п р л б",
        ') ! ? + " % = : / – № $ €',
        "ы У Е И Ш Щ К С Д З Ц §",
        "ѝ Я А О Ж Г Т Н В М Ч",
        "Ю Й Ъ Э Ф Х П Р Л Б",
    ),
    "el": (
        "` 1 2 3 4 5 6 7 8 9 0 - =",
        "; ς ε ρ τ υ θ ι ο π [ ]",
        "α σ δ φ γ η ξ κ λ \u0301 '",
        "ζ χ ψ ω β ν μ , . /",
        "~ ! @ # $ % ^ & * ( ) _ +",
        ": Σ Ε Ρ Τ Υ Θ Ι Ο Π { }",
        'Α Σ Δ Φ Γ Η Ξ Κ Λ \u0308 "',
        "Ζ Χ Ψ Ω Β Ν Μ < > ?",
    ),
    "ar": (
        "ذ 1 2 3 4 5 6 7 8 9 0 - =",
        "ض ص ث ق ف غ ع ه خ ح ج د",
        "ش س ي ب ل ا ت ن م ك ط",
        "ئ ء ؤ ر ∅ ى ة و ز ظ",
        "\u0651 ! @ # $ % ^ & * ) ( _ +",
        "\u064e \u064b \u064f \u064c ∅ إ ` ÷ × ؛ < >",
        '\u0650 \u064d ] [ ∅ أ ـ ، / : "',
        "~ \u0652 } { ∅ آ ' , . ؟",
    ),
    "fa": (
        "∅ ۱ ۲ ۳ ۴ ۵ ۶ ۷ ۸ ۹ ۰ - =",
        "ض ص ث ق ف غ ع ه خ ح ج چ",
        "ش س ی ب ل ا ت ن م ک گ",
        "ظ ط ز ر ذ د پ و . /",
        "÷ ! ٬ ٫ ﷼ ٪ × ، * ) ( ـ +",
        "\u0652 \u064c \u064d \u064b \u064f \u0650 \u064e \u0651 ] [ } {",
        "ؤ ئ ي إ أ آ ة » « : ؛",
        "ك \u0653 ژ \u0670 ∅ \u0654 ء > < ؟",
    ),
    "he": (
        "; 1 2 3 4 5 6 7 8 9 0 - =",
        "/ ' ק ר א ט ו ן ם פ ] [",
        "ש ד ג כ ע י ח ל ך ף ,",
        "ז ס ב ה נ מ צ ת ץ .",
        "~ ! @ # $ % ^ & * ) ( _ +",
        "Q W E R T Y U I O P } {",
        'A S D F G H J K L : "',
        "Z X C V B N M > < ?",
    ),
    "hi": (
        "ॊ १ २ ३ ४ ५ ६ ७ ८ ९ ० - ृ",
        "ौ ै ा ी ू ब ह ग द ज ड ़",
        "ो े ् ि ु प र क त च ट",
        "ॆ ं म न व ल स , . य",
        "ऒ ऍ ॅ # $ % ^ & * ( ) ः ऋ",
        "औ ऐ आ ई ऊ भ ङ घ ध झ ढ ञ",
        "ओ ए अ इ उ फ ऱ ख थ छ ठ",
        "ऎ ँ ण ऩ ऴ ळ श ष । य़",
    ),
    "th": (
        "_ ๅ / - ภ ถ ุ ึ ค ต จ ข ช",
        "ๆ ไ ำ พ ะ ั ี ร น ย บ ล",
        "ฟ ห ก ด เ ้ ่ า ส ว ง",
        "ผ ป แ อ ิ ื ท ม ใ ฝ",
        "% + ๑ ๒ ๓ ๔ ู ฿ ๕ ๖ ๗ ๘ ๙",
        '๐ " ฎ ฑ ธ ํ ๊ ณ ฯ ญ ฐ ,',
        "ฤ ฆ ฏ โ ฌ ็ ๋ ษ ศ ซ .",
        "( ) ฉ ฮ ฺ ์ ? ฒ ฬ ฦ",
    ),
    "ko": (
        "` 1 2 3 4 5 6 7 8 9 0 - =",
        "ㅂ ㅈ ㄷ ㄱ ㅅ ㅛ ㅕ ㅑ ㅐ ㅔ [ ]",
        "ㅁ ㄴ ㅇ ㄹ ㅎ ㅗ ㅓ ㅏ ㅣ ; '",
        "ㅋ ㅌ ㅊ ㅍ ㅠ ㅜ ㅡ , . /",
        "~ ! @ # $ % ^ & * ( ) _ +",
        "ㅃ ㅉ ㄸ ㄲ ㅆ ㅛ ㅕ ㅑ ㅒ ㅖ { }",
        'ㅁ ㄴ ㅇ ㄹ ㅎ ㅗ ㅓ ㅏ ㅣ : "',
        "ㅋ ㅌ ㅊ ㅍ ㅠ ㅜ ㅡ < > ?",
    ),
}
OF_LANGUAGE = {"ko": "ko", "uk": "uk", "bg": "bg", "fa": "fa"}
OF_SCRIPT = {
    "Latn": "us",
    "Cyrl": "ru",
    "Grek": "el",
    "Arab": "ar",
    "Hebr": "he",
    "Deva": "hi",
    "Thai": "th",
}
# letters that lie elsewhere than on a US keyboard
MOVED = {
    **dict.fromkeys(("de", "cs", "hu", "hr", "sk", "sl", "sq"), ("yzYZ", "zyZY")),
    "fr": ("qawzQAWZ", "aqzwAQZW"),
}


def layout_of(language: str) -> str | None:
    """Name the layout that a language is mostly typed on; None where it is not known (Chinese, Japanese)."""
    base = language.split("-")[0]
    return OF_LANGUAGE.get(base) or OF_SCRIPT.get(script(language))


@cache
def to_us_keys(layout: str) -> dict[str, str]:
    """Map each character of a layout to what its key gives while the US layout is on."""
    pairs: dict[str, str] = {}
    for row, us in zip(LAYOUTS[layout], LAYOUTS["us"], strict=True):
        for character, key in zip(row.split(" "), us.split(" "), strict=True):
            if character != NO_KEY:
                pairs.setdefault(character, key)
    return pairs


@cache
def neighbours(language: str) -> dict[str, str]:
    """Map each letter of a language's keyboard to the letters on the keys around it, in the same case."""
    layout = layout_of(language)
    if layout is None:
        return {}
    rows = [row.split(" ") for row in LAYOUTS[layout]]
    moved = str.maketrans(*MOVED[language]) if language in MOVED else {}
    found: dict[str, str] = {}
    for shifted in (rows[:4], rows[4:]):
        keys: dict[str, Key] = {}
        for line, (row, start) in enumerate(zip(shifted, ROW_STARTS, strict=True)):
            keys |= {c.translate(moved): (start + k, line) for k, c in enumerate(row) if is_letter(c)}
        for letter, key in keys.items():
            near = [other for other, place in keys.items() if other != letter and _near(key, place)]
            found.setdefault(letter, "".join(near))
    return {letter: near for letter, near in found.items() if near}


def is_letter(character: str) -> bool:
    """Say whether a character is a letter, or a sign that is typed as one (Thai and Hindi vowels)."""
    kind = unicodedata.category(character)[0] if len(character) == 1 else ""
    return kind == "L" or (kind == "M" and character >= "\u0900")


def _near(a: Key, b: Key) -> bool:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 <= REACH**2
