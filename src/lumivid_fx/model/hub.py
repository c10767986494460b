"""`lumivid models pull`: the published files from their own hub, with the user's own consent.

The files are Lightricks', under their licence; nothing of them is shipped or mirrored here. The
licence that stands beside them is shown before anything is fetched. Downloads go on where they
stopped, and are believed by their size and SHA-256 alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lumivid_fx.errors import DiskFullError, InputError, WireError
from lumivid_fx.model.digests import file_digest
from lumivid_fx.model.library import library_folder
from lumivid_fx.model.published import PublishedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

LICENCE_NAMES = ("LICENSE", "LICENSE.md", "LICENSE.txt")

WHO_MUST_PAY = (
    "These weights are Lightricks', under the LTX-2 community licence. An entity with annual "
    "revenue of at least 10,000,000 US dollars, its parents and subsidiaries counted, needs a paid "
    "licence from Lightricks. Weights that are trained from them come under the same licence. This "
    "is a summary of ours and no legal advice: the text that came with the files holds."
)

_Answer = TypeVar("_Answer")

_ADMISSION = (
    "accept its terms at https://huggingface.co/{repo} with your account, then log in with "
    "`hf auth login` or set HF_TOKEN"
)


def read_licences(files: Sequence[PublishedFile]) -> list[tuple[str, str]]:
    """The licence of each repository that the files are in, as it stands beside them.

    Returns:
        Repositories and texts; a repository that holds no licence file has an empty one.

    Raises:
        InputError: The hub does not let this user in.
        WireError: The hub does not answer.
    """
    from huggingface_hub import errors

    found = []
    for repo in dict.fromkeys(file.repo for file in files):
        text = ""
        for name in LICENCE_NAMES:
            try:
                text = _fetch(repo, name).read_text(encoding="utf-8")
            except errors.RemoteEntryNotFoundError:
                continue
            break
        found.append((repo, text))
    return found


def pull(
    files: Sequence[PublishedFile], on_progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[Path]:
    """Fetch files into the library, or what is missing of them.

    Args:
        files: Which.
        on_progress: Told what is being done, and bytes of all.

    Returns:
        Where they are.

    Raises:
        InputError: The hub does not let this user in, or what came is not what was published.
        WireError: The hub does not answer; what has come stays, and the same again goes on.
        DiskFullError: There is no room.
    """
    from huggingface_hub import errors

    told = []
    for file in files:
        try:
            told.append(_told(file))
        except errors.RemoteEntryNotFoundError as error:
            raise InputError(
                f"{file.repo} has no file {file.name} any more; look there for its successor, and "
                "use `lumivid models add` with what you find"
            ) from error
    missing = sum(
        size for file, (size, _) in zip(files, told, strict=True) if not _place(file).is_file()
    )
    library_folder().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(library_folder()).free
    if missing > free:
        raise DiskFullError(
            f"{library_folder()} has {free / 1e9:.1f} GB free, and these files take "
            f"{missing / 1e9:.1f} GB; free space, or name another folder in LUMIVID_MODELS"
        )
    paths = []
    for file, (size, sha256) in zip(files, told, strict=True):
        on_progress(f"fetching {file.name}", 0, size)
        path = _fetch(file.repo, file.name)
        done = 0

        def count(more: int, file: PublishedFile = file, size: int = size) -> None:
            nonlocal done
            done += more
            on_progress(f"verifying {file.name}", done, size)

        right = path.stat().st_size == size and file_digest(path, count) == sha256
        if not right:
            path.unlink()
            raise InputError(
                f"{path} did not come as it was published, and was removed; pull again"
            )
        paths.append(path)
    return paths


def _told(file: PublishedFile) -> tuple[int, str]:
    """Size and SHA-256 of a file: what is written down here, and else what the hub says."""
    import huggingface_hub

    found = _asked(
        file.repo,
        lambda: huggingface_hub.get_hf_file_metadata(
            huggingface_hub.hf_hub_url(file.repo, file.name, endpoint=_endpoint()), token=None
        ),
    )
    size, sha256 = file.size or found.size, file.sha256 or (found.etag or "").lower()
    if size is None or len(sha256) != 64:
        raise WireError(f"the hub gives no size and SHA-256 of {file.name}; try again later")
    if found.size is not None and found.size != size:
        raise InputError(
            f"{file.repo} holds another {file.name} than is known here ({found.size:,} bytes, not "
            f"{size:,}); look there what changed, and use `lumivid models add`"
        )
    return size, sha256


def _fetch(repo: str, name: str) -> Path:
    import huggingface_hub

    folder = library_folder() / "files" / repo
    return Path(
        _asked(
            repo,
            lambda: huggingface_hub.hf_hub_download(
                repo, name, local_dir=folder, endpoint=_endpoint()
            ),
        )
    )


def _place(file: PublishedFile) -> Path:
    return library_folder() / "files" / file.repo / file.name


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT")


def _asked(repo: str, ask: Callable[[], _Answer]) -> _Answer:
    """Ask the hub, and put what it refuses into our words."""
    import httpx2
    from huggingface_hub import errors

    try:
        return ask()
    except (errors.GatedRepoError, errors.RepositoryNotFoundError) as error:
        raise InputError(
            f"the hub does not let you read {repo}; {_ADMISSION.format(repo=repo)}"
        ) from error
    except errors.RemoteEntryNotFoundError:
        raise
    except (httpx2.HTTPError, errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise WireError(
            f"the hub did not answer for {repo} ({type(error).__name__}); check the network, and "
            "pull again: what has come stays"
        ) from error
