"""Pure: which models are known by name, for each backend, where the hub keeps them, and about how large they are."""

import re

import msgspec

FASTER_WHISPER = "faster-whisper"
MLX = "mlx"
WHISPERX = "whisperx"
ALIGN = "align"
"""Not a backend of its own: the stage that aligns words, whose models are transformers' own."""

BACKENDS = (FASTER_WHISPER, MLX, WHISPERX)
"""The backends that come with scribetui."""

REPOSITORIES = {
    "tiny": "Systran/faster-whisper-tiny",
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "base": "Systran/faster-whisper-base",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v1": "Systran/faster-whisper-large-v1",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "large-v2": "Systran/faster-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "large-v3": "Systran/faster-whisper-large-v3",
}
"""Where faster-whisper 1.2 finds the models it knows by name, from the weakest to the best."""

ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}

_MEGABYTES = {
    "tiny": 75,
    "tiny.en": 75,
    "base": 145,
    "base.en": 145,
    "small": 484,
    "distil-small.en": 333,
    "small.en": 484,
    "medium": 1528,
    "distil-medium.en": 789,
    "medium.en": 1528,
    "large-v1": 3087,
    "distil-large-v2": 1513,
    "large-v2": 3087,
    "distil-large-v3": 1513,
    "distil-large-v3.5": 1513,
    "large-v3-turbo": 1618,
    "large-v3": 3087,
}
"""About what a download takes, 16 bits a number, as the hub says; in millions of bytes."""

QUANTISED = {"4bit": 0.29, "8bit": 0.54}
"""The part of its size that a model has left with so many bits a number, as MLX quantises (groups of 64)."""

_MLX_PLAIN = {
    "large-v3-turbo": "mlx-community/whisper-large-v3-turbo",
    "distil-small.en": "mlx-community/distil-whisper-small.en",
    "distil-medium.en": "mlx-community/distil-whisper-medium.en",
    "distil-large-v3": "mlx-community/distil-whisper-large-v3",
}
"""Those that the hub calls otherwise than ``whisper-NAME-mlx``."""
_MLX_QUANTISED = {"large-v3-turbo": {"4bit": "mlx-community/whisper-large-v3-turbo-q4"}}
"""Likewise; of turbo in 8 bits the hub has only weights in a form that mlx-whisper does not read."""


_PLACE = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*", re.ASCII)
"""What the hub calls a repository: an owner and a name."""
_PIPELINE = re.compile(r"[A-Z0-9_]+")
"""What torchaudio calls its pipelines: ``WAV2VEC2_ASR_BASE_960H``."""


class Kind(msgspec.Struct, frozen=True):
    """What the models of a backend look like."""

    weights: tuple[str, ...]
    """The files of which a folder has to have one in order to be a model."""
    others: tuple[str, ...]
    """What else is needed of a repository; patterns as of a shell."""

    @property
    def files(self) -> tuple[str, ...]:
        """Patterns of all that is fetched of a repository, the weights last: with them the model counts as whole."""
        return (*self.others, *self.weights)


CTRANSLATE2 = Kind(
    ("model.bin",), ("config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.txt", "vocabulary.json")
)
_KINDS = {
    FASTER_WHISPER: CTRANSLATE2,
    WHISPERX: CTRANSLATE2,
    MLX: Kind(("weights.safetensors", "weights.npz"), ("config.json",)),
    ALIGN: Kind(
        ("model.safetensors", "pytorch_model.bin"),
        (
            *("config.json", "preprocessor_config.json", "tokenizer_config.json", "special_tokens_map.json"),
            *("added_tokens.json", "vocab.json"),
        ),
    ),
}


def kind(backend: str) -> Kind | None:
    """What a backend's models look like; None for a backend from elsewhere, which knows that itself."""
    return _KINDS.get(backend)


def repositories(backend: str = FASTER_WHISPER) -> dict[str, str]:
    """The models that a backend knows by name, from the weakest to the best, each with its place on the hub."""
    if backend in (FASTER_WHISPER, WHISPERX):
        return REPOSITORIES
    return dict(_MLX) if backend == MLX else {}


def canonical(model: str) -> str:
    """The name that an alias stands for; any other name as it is."""
    return ALIASES.get(model, model)


def download_bytes(model: str) -> int:
    """About how many bytes a model known by name is on the hub; 0 for any other."""
    plain, bits = split(canonical(model))
    return round(_MEGABYTES.get(plain, 0) * 1_000_000 * (QUANTISED[bits] if bits else 1))


def split(model: str) -> tuple[str, str]:
    """A name without the bits its weights are quantised to, and these: ``4bit``, ``8bit`` or nothing."""
    for bits in QUANTISED:
        if model.endswith(f"-{bits}"):
            return model.removesuffix(f"-{bits}"), bits
    return model.removesuffix("-q4"), "4bit" if model.endswith("-q4") else ""


def plain(model: str) -> str:
    """A name without what its weights are quantised to."""
    return split(model)[0]


def quantised(model: str, backend: str) -> str:
    """What the weights of a backend's model are quantised to, going by its name: ``4bit``, ``8bit`` or nothing."""
    return split(model.rstrip("/"))[1] if backend == MLX else ""


def is_english_only(model: str) -> bool:
    """Whether a model, by its name, knows no language but English."""
    name = split(model.rstrip("/").rpartition("/")[2])[0].removesuffix("-mlx")
    return name.endswith(".en") or name.startswith(("distil-", "faster-distil-"))


def is_on_hub(model: str, backend: str) -> bool:
    """Whether a name is one that the hub may know: a known one, or ``owner/name``."""
    return canonical(model) in repositories(backend) or _PLACE.fullmatch(model) is not None


def is_pipeline(model: str) -> bool:
    """Whether a name is one of those that torchaudio gives its own models, which align words too."""
    return _PIPELINE.fullmatch(model) is not None


def repository(model: str, backend: str) -> str:
    """Where the hub keeps a model, given by its name or by ``owner/name``."""
    return repositories(backend).get(canonical(model), model)


def _mlx_repositories() -> dict[str, str]:
    found = {}
    for name in _MEGABYTES:
        if name.startswith("distil-") and name not in _MLX_PLAIN:
            continue
        plain = _MLX_PLAIN.get(name, f"mlx-community/whisper-{name}-mlx")
        if not name.startswith("distil-"):
            for bits in QUANTISED:
                theirs = _MLX_QUANTISED.get(name, {}).get(bits)
                if theirs or name not in _MLX_QUANTISED:
                    found[f"{name}-{bits}"] = theirs or f"{plain}-{bits}"
        found[name] = plain
    return found


_MLX = _mlx_repositories()
"""Apple's and the community's conversions, in the collection "Whisper" of mlx-community on the hub."""
