"""The languages that Whisper knows, by the codes it has for them and in English."""

_NAMES = """
af:Afrikaans am:Amharic ar:Arabic as:Assamese az:Azerbaijani ba:Bashkir be:Belarusian bg:Bulgarian bn:Bengali bo:Tibetan
br:Breton bs:Bosnian ca:Catalan cs:Czech cy:Welsh da:Danish de:German el:Greek en:English es:Spanish et:Estonian
eu:Basque fa:Persian fi:Finnish fo:Faroese fr:French gl:Galician gu:Gujarati ha:Hausa haw:Hawaiian he:Hebrew hi:Hindi
hr:Croatian ht:Haitian_Creole hu:Hungarian hy:Armenian id:Indonesian is:Icelandic it:Italian ja:Japanese jw:Javanese
ka:Georgian kk:Kazakh km:Khmer kn:Kannada ko:Korean la:Latin lb:Luxembourgish ln:Lingala lo:Lao lt:Lithuanian lv:Latvian
mg:Malagasy mi:Maori mk:Macedonian ml:Malayalam mn:Mongolian mr:Marathi ms:Malay mt:Maltese my:Burmese ne:Nepali
nl:Dutch nn:Norwegian_Nynorsk no:Norwegian oc:Occitan pa:Punjabi pl:Polish ps:Pashto pt:Portuguese ro:Romanian
ru:Russian sa:Sanskrit sd:Sindhi si:Sinhala sk:Slovak sl:Slovenian sn:Shona so:Somali sq:Albanian sr:Serbian
su:Sundanese sv:Swedish sw:Swahili ta:Tamil te:Telugu tg:Tajik th:Thai tk:Turkmen tl:Tagalog tr:Turkish tt:Tatar
uk:Ukrainian ur:Urdu uz:Uzbek vi:Vietnamese yi:Yiddish yo:Yoruba yue:Cantonese zh:Chinese
"""

NAMES = {code: name.replace("_", " ") for code, _, name in (entry.partition(":") for entry in _NAMES.split())}
"""English names by code, in the order of the codes."""


def language_name(code: str) -> str:
    """A language in English: ``German``; its code where it has no name here."""
    return NAMES.get(code, code)


def code_of(text: str) -> str:
    """The code of a language that was named, in English or by its code, in any case; else the text as it is."""
    wanted = text.strip().casefold()
    return next((code for code, name in NAMES.items() if wanted in (code, name.casefold())), text)
