"""What the settings of the two predecessors mean here: which became which, and why the others became nothing.

mlx-talks-categorizer keeps a ``config.json``, cp-whisperx-app an ``.env`` file; both names are those of their projects.
"""

from engine.settings import takings as take
from engine.settings.takings import Taking

TALKS = "mlx-talks-categorizer"
FILMS = "cp-whisperx-app"

Counterparts = dict[str, list[tuple[str, Taking]]]
"""For each of our settings the keys that mean it, from the most particular to the most general."""

TALKS_COUNTERPARTS: Counterparts = {
    "transcribe.model": [("whisper_model", take.model)],
    "watch.folders": [("audio_inputs", take.folders)],
    "watch.extensions": [("supported_formats", take.extensions)],
    "watch.min_duration": [("min_duration_minutes", take.minutes)],
    "chunks.chunk": [("memory_optimizations.transcription_chunk_size_seconds", take.whole)],
    "chunks.chunking": [("memory_optimizations.enable_chunked_transcription", take.chunked)],
    "output.folder": [("transcripts_path", take.folder), ("output_base_path", take.folder)],
}

FILMS_COUNTERPARTS: Counterparts = {
    "transcribe.model": [("WHISPER_MODEL", take.model)],
    "transcribe.backend": [("WHISPER_BACKEND", take.backend)],
    "transcribe.compute_type": [("WHISPER_COMPUTE_TYPE", take.compute_type)],
    "transcribe.device": [(name, take.device) for name in ("WHISPERX_DEVICE", "DEVICE_WHISPERX", "DEVICE")],
    "transcribe.language": [(name, take.language) for name in ("WHISPER_LANGUAGE", "SOURCE_LANG", "SRC_LANG")],
    "transcribe.task": [("WHISPER_TASK", take.word)],
    "transcribe.align": [("WHISPERX_ALIGN_MODEL", take.align)],
    "transcribe.terms": [("WHISPER_INITIAL_PROMPT", take.terms)],
    "terms.file": [(name, take.terms_file) for name in ("GLOSSARY_PATH", "GLOSSARY_MASTER", "FILM_PROMPT_PATH")],
    "terms.near": [("BIAS_ENABLED", take.flag)],
    "terms.correct": [("POST_NER_ENTITY_CORRECTION", take.flag)],
    "chunks.chunk": [("ASR_CHUNK_DURATION", take.whole), ("CHUNK_DURATION_MINUTES", take.whole_minutes)],
    "chunks.chunking": [("ASR_USE_CHUNKING", take.chunking), ("ENABLE_CHUNKING", take.chunked_if_need_be)],
    "chunks.batch": [(name, take.whole) for name in ("ASR_BATCH_SIZE", "WHISPER_BATCH_SIZE", "BATCH_SIZE")],
    "failures.retries": [("ASR_MAX_RETRIES", take.whole), ("MAX_RETRIES", take.whole)],
    "failures.retry_delay": [("RETRY_DELAY_SECONDS", take.number)],
    "watchdog.transcribe": [("ASR_WATCHDOG_TIMEOUT", take.whole)],
    "output.formats": [("SUBTITLE_FORMAT", take.formats), ("OUTPUT_PLAINTEXT", take.plain_text)],
    "output.folder": [("OUTPUT_ROOT", take.folder)],
}

TALKS_NOT_YET = {
    "speakers and known voices have no settings yet": (
        "speakers_path speaker_similarity_threshold "
        "memory_optimizations.speaker_identification_sample_seconds "
        "memory_optimizations.speaker_identification_sample_offset "
        "pyannote.model pyannote.min_speakers pyannote.max_speakers"
    ),
    "putting talks in order has no settings yet": (
        "talks_path raw_talks_path cleanup_days title_generation.method title_generation.openai_model "
        "title_generation.max_title_words title_generation.fallback_to_simple"
    ),
}
"""Why, and the keys it holds for; so for all that follow."""

TALKS_WITHOUT = {
    "what was done is known by its content": "last_run_file",
    "all state is in one folder, which SCRIBETUI_HOME names": "cache_dir",
    "every event is kept, and 'scribetui events --level' chooses": "log_level",
}

TALKS_SECRETS = "pyannote.hf_token title_generation.openai_api_key"

FILMS_NOT_YET = {
    "finding speech has no further settings yet, but for the choice of the model (listen.vad)": (
        "SILERO_THRESHOLD SILERO_MIN_SPEECH_DURATION_MS SILERO_MIN_SILENCE_DURATION_MS SILERO_MERGE_GAP_SEC "
        "SILERO_WINDOW_SIZE_SAMPLES SILERO_DEVICE PYANNOTE_ONSET PYANNOTE_OFFSET PYANNOTE_MIN_DURATION_ON "
        "PYANNOTE_MIN_DURATION_OFF PYANNOTE_WINDOW_PAD PYANNOTE_MERGE_GAP PYANNOTE_DEVICE DEVICE_VAD "
        "STEP_VAD_SILERO STEP_VAD_PYANNOTE STEP_SILERO_VAD STEP_PYANNOTE_VAD"
    ),
    "speakers have no settings yet": (
        "DIARIZATION_MIN_SPEAKERS DIARIZATION_MAX_SPEAKERS DIARIZATION_MODEL DIARIZATION_METHOD DIARIZATION_DEVICE "
        "DIARIZATION_AUTO_SPEAKER_MAPPING DIARIZATION_WATCHDOG_TIMEOUT DEVICE_DIARIZATION STEP_DIARIZATION "
        "SPEAKER_MAP SUBTITLE_INCLUDE_SPEAKER_LABELS INCLUDE_SPEAKER_LABELS SUBTITLE_SPEAKER_FORMAT "
        "SPEAKER_LABEL_FORMAT"
    ),
    "aligning words has no settings yet, but for the model (transcribe.align)": (
        "WHISPERX_ALIGN_EXTEND WHISPERX_ALIGN_FROM_PREV WHISPERX_INTERPOLATE_METHOD"
    ),
    "the layout of subtitles has no settings yet": (
        "SUBTITLE_MAX_LINE_LENGTH SUBTITLE_MAX_LINES SUBTITLE_MAX_DURATION SUBTITLE_MIN_DURATION "
        "SUBTITLE_MERGE_SHORT SUBTITLE_GAP_TOLERANCE SUBTITLE_WORD_LEVEL_TIMESTAMPS CPS_ENFORCEMENT CPS_TARGET "
        "CPS_HARD_CAP CPS_MAX_GAP CPS_ALLOW_SPLIT SEGMENT_MERGING_ENABLED SEGMENT_MERGE_MAX_GAP "
        "SEGMENT_MERGE_MAX_CHARS SEGMENT_MERGE_MAX_DURATION SEGMENT_MERGE_MIN_CPS SEGMENT_MERGE_MAX_CPS"
    ),
}

FILMS_WITHOUT = {
    "nothing is carried from one window to the next": "WHISPER_CONDITION_ON_PREVIOUS_TEXT",
    "each window is told the terms that sound like something in it, and how many those are is no setting": (
        "BIAS_WINDOW_SECONDS BIAS_STRIDE_SECONDS WINDOW_SECONDS STRIDE_SECONDS BIAS_TOPK BIAS_DECAY "
        "BIAS_MIN_CONFIDENCE BIAS_STRATEGY BIAS_PROMPT_MAX_TERMS BIAS_HOTWORD_MAX_TERMS BIAS_USE_INITIAL_PROMPT "
        "BIAS_USE_HOTWORDS SPEAKER_AWARE_BIAS_ENABLED SPEAKER_BIAS_BOOST_FACTOR SPEAKER_CONTEXT_WINDOW "
        "SPEAKER_MIN_COOCCURRENCE SONG_BIAS_ENABLED SONG_BIAS_FUZZY_THRESHOLD"
    ),
    "terms are read from files beside a recording, from terms.file and from --terms": (
        "PREP_PROMPT FREQUENCY_DATA_PATH GLOSSARY_ENABLE GLOSSARY_ENABLED GLOSSARY_PROMPTS_DIR GLOSSARY_SEED_SOURCES "
        "GLOSSARY_MIN_CONF GLOSSARY_CACHE_DIR GLOSSARY_CACHE_ENABLED GLOSSARY_CACHE_TTL_DAYS "
        "GLOSSARY_LEARNING_ENABLED GLOSSARY_AUTO_LEARN GLOSSARY_MIN_OCCURRENCES GLOSSARY_CONFIDENCE_THRESHOLD "
        "GLOSSARY_STRATEGY"
    ),
    "chunks are cut in silence and need no overlap": "CHUNK_OVERLAP_SECONDS",
    "how the model searches, and when it tries again, is fixed": (
        "WHISPER_TEMPERATURE WHISPER_BEAM_SIZE WHISPER_BEST_OF WHISPER_PATIENCE WHISPER_LENGTH_PENALTY "
        "WHISPER_NO_SPEECH_THRESHOLD WHISPER_LOGPROB_THRESHOLD WHISPER_COMPRESSION_RATIO_THRESHOLD "
        "WHISPER_MIN_DURATION MULTIPASS_ENABLED MULTIPASS_CONFIDENCE_THRESHOLD MULTIPASS_MAX_ITERATIONS "
        "MULTIPASS_BEAM_SIZE_INCREMENT MULTIPASS_MIN_SEGMENT_DURATION"
    ),
    "every text is checked for loops and invention, and decoded again where it looks wrong": (
        "HALLUCINATION_REMOVAL_ENABLED HALLUCINATION_LOOP_THRESHOLD HALLUCINATION_MAX_REPEATS "
        "STAGE_07_HALLUCINATION_ENABLED"
    ),
    "the only translation is Whisper's own, into English (transcribe.task)": (
        "TARGET_LANGUAGE TARGET_LANG TGT_LANG TWO_STEP_TRANSCRIPTION SECOND_PASS_ENABLED SECOND_PASS_BACKEND "
        "SECOND_PASS_DEVICE DEVICE_SECOND_PASS STEP_SECOND_PASS_TRANSLATION STAGE_08_TRANSLATION_ENABLED "
        "INDICTRANS2_ENABLED INDICTRANS2_MODEL INDICTRANS2_DEVICE INDICTRANS2_NUM_BEAMS INDICTRANS2_MAX_NEW_TOKENS "
        "INDICTRANS2_BATCH_SIZE INDICTRANS2_SKIP_ENGLISH_THRESHOLD INDICTRANS2_USE_TOOLKIT "
        "INDICTRANS2_OPTIMIZE_BEAMS INDICTRANS2_BEAM_MIN INDICTRANS2_BEAM_MAX INDICTRANS2_OPTIMIZATION_SAMPLE_SIZE "
        "USE_HYBRID_TRANSLATION LLM_PROVIDER USE_LLM_FOR_SONGS CONFIDENCE_THRESHOLD ENABLE_CONFIDENCE_FALLBACK "
        "TRANSLATION_GLOSSARY_PROTECTION TRANSLATION_VALIDATION_ENABLED TRANSLATION_MAX_LENGTH_RATIO "
        "TRANSLATION_MIN_LENGTH_RATIO"
    ),
    "memory is held within memory.budget, whatever the library": (
        "PYTORCH_MPS_HIGH_WATERMARK_RATIO PYTORCH_ENABLE_MPS_FALLBACK MPS_ALLOC_MAX_SIZE_MB"
    ),
    "no container is used": (
        "DOCKER_REGISTRY DOCKER_TAG DOCKER_MEMORY_LIMIT DOCKER_CPU_LIMIT DOCKER_SHM_SIZE ASR_USE_SUBPROCESS"
    ),
    "the sound is always decoded to what the model needs": (
        "AUDIO_SAMPLE_RATE AUDIO_CHANNELS AUDIO_FORMAT AUDIO_CODEC STEP_DEMUX STAGE_01_DEMUX_ENABLED "
        "SOURCE_SEPARATION_ENABLED SOURCE_SEPARATION_QUALITY CLIP_VIDEO CLIP_MINUTES"
    ),
    "what is done follows from what there is to do": (
        "WORKFLOW_MODE AUTO_CONTINUE STEP_WHISPERX STEP_SUBTITLE_GEN STAGE_04_ASR_ENABLED STAGE_09_SUBTITLE_ENABLED"
    ),
    "recordings are named on the command line, or found by watch.folders": (
        "IN_ROOT INPUT_FILE INPUT_URL JOB_ID USER_ID TITLE YEAR"
    ),
    "films are not looked up anywhere": (
        "TMDB_ENABLED TMDB_LANGUAGE TMDB_INFER_FROM_FILENAME TMDB_SEARCH_YEAR_TOLERANCE INFER_TMDB "
        "INFER_TMDB_FROM_FILENAME STEP_TMDB_METADATA STAGE_02_TMDB_ENABLED STAGE_03_GLOSSARY_ENABLED "
        "STEP_GLOSSARY_BUILDER CANON_MAP"
    ),
    "names are not searched for in the text": (
        "PRE_NER_MODEL PRE_NER_CONFIDENCE_THRESHOLD PRE_NER_ENTITY_TYPES PRE_NER_DEVICE POST_NER_MODEL "
        "POST_NER_TMDB_MATCHING POST_NER_CONFIDENCE_THRESHOLD POST_NER_DEVICE NER_ENABLED "
        "NER_PRESET DEVICE_NER DEVICE_SPACY STEP_PRE_NER STEP_POST_NER STEP_PRE_ASR_NER STEP_POST_ASR_NER "
        "STAGE_05_NER_ENABLED QG_ENABLED QG_THRESHOLD QG_FALLBACKS"
    ),
    "songs are transcribed like all else": (
        "LYRIC_DETECT_ENABLED LYRIC_THRESHOLD LYRIC_STYLE LYRIC_MIN_DURATION LYRIC_DEVICE LYRICS_DETECTION_ENABLED "
        "LYRICS_DETECTION_THRESHOLD LYRICS_MIN_DURATION LYRICS_MUSIC_THRESHOLD LYRICS_BEAM_SIZE LYRICS_TEMPERATURE "
        "LYRICS_ALLOW_REPETITION LYRICS_COMPRESSION_RATIO_THRESHOLD STEP_LYRICS_DETECTION STAGE_06_LYRICS_ENABLED "
        "MUSIC_DETECTION_ENABLED MUSIC_CONFIDENCE_THRESHOLD MIN_MUSIC_DURATION SKIP_HIGH_CONFIDENCE_MUSIC "
        "MUSIC_TRANSCRIPTION_TEMPERATURE MUSIC_TAG_IN_SUBTITLES"
    ),
    "subtitles are files, and are not put into the film": (
        "MUX_SUBTITLE_CODEC MUX_SUBTITLE_LANGUAGE MUX_SUBTITLE_TITLE MUX_COPY_VIDEO MUX_COPY_AUDIO "
        "MUX_CONTAINER_FORMAT SUBTITLE_CODEC SUBTITLE_LANGUAGE SUBTITLE_TITLE STEP_MUX STAGE_10_MUX_ENABLED"
    ),
    "every event is kept, and 'scribetui events' and 'scribetui report' tell": (
        "LOG_LEVEL LOG_FORMAT LOG_TO_CONSOLE LOG_TO_FILE LOG_ROOT QUALITY_METRICS_ENABLED GENERATE_QUALITY_REPORT "
        "TRACK_PERFORMANCE_METRICS QUALITY_REPORT_FORMAT"
    ),
    "all state is in one folder, which SCRIBETUI_HOME names, and is tidied by itself": (
        "TEMP_ROOT CLEANUP_TEMP_FILES KEEP_INTERMEDIATE_FILES"
    ),
    "a job may take as long as it makes progress": "PIPELINE_TIMEOUT",
    "no file of secrets is needed": "SECRETS_PATH",
}

FILMS_SECRETS = "HF_TOKEN HUGGINGFACE_TOKEN PYANNOTE_TOKEN TMDB_API_KEY ANTHROPIC_API_KEY OPENAI_API_KEY"
