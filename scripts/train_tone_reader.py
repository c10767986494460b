"""Train the reader of tone curves that `detail` asks, on one processor core in some 20 minutes.

    python scripts/train_tone_reader.py --maps MAPS --to FILE

Every fifth map is left out first and only looked at, to see what the reader is worth on maps it
does not know; then it is trained anew on all of them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from lumivid_fx.pipeline.tone_reader import WEIGHTS
from lumivid_fx.train import clips
from lumivid_fx.train.embedded import HELD_OUT
from lumivid_fx.train.scenes import Scenes
from lumivid_fx.train.tone_reader import draw_plates, save_reader, train_reader


def main() -> None:
    """Draw plates, train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=Path, required=True)
    parser.add_argument("--to", type=Path, default=WEIGHTS)
    parser.add_argument("--draws", type=int, default=600, help="each gives 18 plates")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s {line}", flush=True)

    def drawn(done: int) -> None:
        if done % 50 == 0:
            say(f"{done} of {args.draws} draws")

    maps = clips.find_maps(args.maps, HELD_OUT)
    scenes = Scenes.of([clips.load_environment(path) for path in maps])
    plates = draw_plates(scenes, args.draws, args.seed, drawn)
    train_reader(plates, args.epochs, range(2, len(maps), 5), say)
    save_reader(train_reader(plates, args.epochs, (), say), args.to)
    say(f"{args.to} written")


if __name__ == "__main__":
    main()
