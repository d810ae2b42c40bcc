"""A stand-in for the ffmpeg program, which whisperX calls to decode a file, where a machine has none.

As whisperX calls it: ``ffmpeg ... -i FILE -f s16le -ac 1 -acodec pcm_s16le -ar 16000 -``; all but the file is taken
for granted. It is FFmpeg's own code all the same, by PyAV.
"""

import itertools
import sys

import av


def main() -> None:
    """Write the file's first audio track to standard output, as 16 kHz mono int16."""
    path = sys.argv[sys.argv.index("-i") + 1]
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(path) as media:
        for frame in itertools.chain(media.decode(audio=0), (None,)):
            for piece in resampler.resample(frame):
                sys.stdout.buffer.write(piece.to_ndarray().tobytes())


if __name__ == "__main__":
    main()
