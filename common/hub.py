"""The Hugging Face hub: its cache looked at, files fetched, and its errors worded, in one place for all packages."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from common import proxies
from common.errors import REFUSALS, UserError
from common.progress import notice

TRIES = 4


def hub_home() -> Path:
    """Return the folder of the hub's client: downloads and the token of `hf auth login`."""
    return Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()


def hub_cache() -> Path:
    """Return the folder that downloads go to."""
    return Path(os.environ.get("HF_HUB_CACHE") or hub_home() / "hub")


def snapshot(repository: str) -> Path | None:
    """Return the newest downloaded snapshot of a model, whole or not; None when there is none."""
    found = (hub_cache() / f"models--{repository.replace('/', '--')}" / "snapshots").glob("*/")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


@dataclass(frozen=True)
class Repository:
    """A repository on the hub."""

    name: str  # org/name
    kind: Literal["model", "dataset"] = "model"
    revision: str = "main"
    way_out: str = "try again later"
    """What a person can do where the hub does not give it: a command, or another source."""
    page: str = ""  # where its terms are accepted, when that is not its page on the hub

    @property
    def _cache(self) -> Path:
        return hub_cache() / f"{self.kind}s--{self.name.replace('/', '--')}"

    def commit(self) -> str:
        """Return the commit that the revision stands for; without a network, the one that was downloaded last."""
        if len(self.revision) == 40:
            return self.revision
        from huggingface_hub import HfApi

        reference = self._cache / "refs" / self.revision
        try:
            with self.clear_errors():
                facts = HfApi().repo_info(self.name, repo_type=self.kind, revision=self.revision, timeout=20)
                return str(facts.sha)
        except NoNetworkError:
            if reference.is_file():
                return reference.read_text().strip()
            raise

    def files(self, commit: str = "") -> list[str]:
        """Return the names of all files."""
        from huggingface_hub import HfApi

        with self.clear_errors():
            return sorted(HfApi().list_repo_files(self.name, repo_type=self.kind, revision=commit or self.revision))

    def download(self, path: str, commit: str, among: Callable[[str], bool] = lambda _: True) -> Path:
        """Fetch one file into the hub's cache, going on with what was broken off; return where it lies.

        Where there is no such file, the error names those that are, of which `among` holds.
        """
        from huggingface_hub import hf_hub_download

        for attempt in range(1, TRIES + 1):
            try:
                with self.clear_errors(path, among):
                    fetched = Path(hf_hub_download(self.name, path, repo_type=self.kind, revision=commit))
                    self._remember(fetched, commit)
                    return fetched
            except BrokenOffError as error:
                if attempt == TRIES:
                    raise
                print(f"{error.message}; going on, try {attempt + 1} of {TRIES}", file=sys.stderr)
                time.sleep(min(2**attempt, 10) * float(os.environ.get("WHETSTONE_RETRY_SECONDS", "1")))
        raise AssertionError("the last try raises")

    def _remember(self, fetched: Path, commit: str) -> None:
        """Note in the hub's own cache which commit the revision stood for, so that it is found without a network."""
        reference = self._cache / "refs" / self.revision
        known = reference.is_file() and reference.read_text() == commit
        if len(commit) == 40 != len(self.revision) and self._cache in fetched.parents and not known:
            reference.parent.mkdir(parents=True, exist_ok=True)
            reference.write_text(commit)

    def snapshot(self, ignore: Sequence[str], instead_of: tuple[str, str] = ("", "")) -> Path:
        """Fetch all files but those that match `ignore`; return their folder.

        `instead_of` is (suffix, pattern): where any file has the suffix, those of the pattern hold the same again.
        """
        from huggingface_hub import constants, snapshot_download

        suffix, pattern = instead_of
        ignore = list(ignore)
        with self.clear_errors():
            # Without a network what was downloaded earlier will do.
            if suffix and not constants.HF_HUB_OFFLINE and any(name.endswith(suffix) for name in self.files()):
                ignore.append(pattern)
            return Path(
                snapshot_download(self.name, repo_type=self.kind, revision=self.revision, ignore_patterns=ignore)
            )

    def upload(self, folder: Path, message: str) -> str:
        """Upload a folder, to a new private repository if there is none; return its address."""
        from huggingface_hub import HfApi

        if self.name.count("/") != 1:
            raise UserError(f"PUSH={self.name} is no repository on the hub", f"PUSH=your-name/{self.kind}-name")
        with self.clear_errors():
            address = HfApi().create_repo(self.name, repo_type=self.kind, private=True, exist_ok=True)
            HfApi().upload_folder(repo_id=self.name, repo_type=self.kind, folder_path=folder, commit_message=message)
        return str(address)

    @contextmanager
    def clear_errors(self, path: str = "", among: Callable[[str], bool] = lambda _: True) -> Iterator[None]:
        """Word what the hub's client raises, once; what is not of the hub or the network goes through."""
        from huggingface_hub.utils import disable_progress_bars
        from huggingface_hub.utils import logging as hub_logging

        endpoint = os.environ.get("HF_ENDPOINT", "")
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise UserError(f"HF_ENDPOINT={endpoint} is no address", f"export HF_ENDPOINT=https://{endpoint}")
        hub_logging.set_verbosity_error()  # what goes wrong is told in our own words
        _tell_of_retries()
        if not sys.stderr.isatty():
            disable_progress_bars()
        try:
            yield
        except Exception as error:
            # A full disk is not the network's fault.
            ours = isinstance(error, UserError) or (isinstance(error, OSError) and error.errno in REFUSALS)
            worded = None if ours else self._worded(error, path, among)
            if worded is None:
                raise
            raise worded from None

    def _worded(self, error: Exception, path: str, among: Callable[[str], bool]) -> UserError | None:
        """Return what an exception of the hub's client means, None when it is another's."""
        import httpx
        from huggingface_hub import errors

        if wrong := proxies.unusable(error):
            return UserError(*wrong)
        name, said = self.name, (str(error).strip().splitlines() or [type(error).__name__])[0]
        log_in = f"hf auth login; then: {self.way_out}"
        if isinstance(error, errors.GatedRepoError):
            return UserError(
                f"{name} is gated: the hub gives it only to those who have accepted its terms",
                f"accept them on {self.page or 'its page on the hub'}; then: {log_in}",
            )
        if isinstance(error, errors.RepositoryNotFoundError):
            return UserError(f"{name} is not on the hub, or private", f"check the name; if it is private: {log_in}")
        if isinstance(error, errors.RevisionNotFoundError):
            return UserError(f"{name} has no revision {self.revision} on the hub", self.way_out)
        if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
            return self._no_network(str(error.__cause__ or ""))
        if isinstance(error, errors.EntryNotFoundError):
            return UserError(
                f"{name} (revision {self.revision}) has no file {path or said}{self._there(among)}", self.way_out
            )
        if isinstance(error, errors.HFValidationError):
            return UserError(f"{name!r} is no name of a repository on the hub: {said}", "write it as org/name")
        if isinstance(error, errors.HfHubHTTPError) and (answer := error.response) is not None:
            if answer.status_code in (401, 403):
                return UserError(
                    f"the hub refused {name} (HTTP {answer.status_code}): {said}",
                    "hf auth login with a token that has the right to it, or another name",
                )
            if answer.status_code < 500:
                return UserError(f"the hub refused {name} {path}: {said}", self.way_out)
        if isinstance(error, ConnectionError) or "connect" in type(error).__name__.lower():
            return self._no_network(said)
        ours = isinstance(error, OSError) and error.filename is not None  # a file of this machine
        if not ours and isinstance(error, OSError | httpx.HTTPError):
            return BrokenOffError(
                f"the transfer of {' of '.join(filter(None, [path, name]))} broke off ({said})",
                f"the same command goes on where it stopped; or {self.way_out}",
            )
        return None

    def _no_network(self, said: str) -> UserError:
        from huggingface_hub import constants

        offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
        why = "HF_HUB_OFFLINE is set" if offline else "no network?"
        told = f"{self.name} cannot be reached ({why})" + (f": {said}" if said and not offline else "")
        mirror = "" if offline or os.environ.get("HF_ENDPOINT") else "; or ask a mirror: HF_ENDPOINT=https://..."
        return NoNetworkError(told + proxies.note(constants.ENDPOINT), self.way_out + mirror)

    def _there(self, among: Callable[[str], bool]) -> str:
        """Return " (there are: ...)" with the files of which `among` holds, "" when the hub cannot be asked."""
        try:
            return f" (there are: {', '.join(filter(among, self.files()))})"
        except UserError:  # an addition to an error that is told anyway
            return ""


@cache
def _tell_of_retries() -> None:
    """Say once that the client waits and tries again; what else it says of its requests is told in our own words."""
    import logging

    @cache
    def tell() -> None:
        notice("the hub does not answer; trying again for about half a minute ...")

    def told(record: logging.LogRecord) -> bool:
        if "etry" in record.msg:
            tell()
        return False

    requests = logging.getLogger("huggingface_hub.utils._http")
    requests.setLevel(logging.WARNING)
    requests.addFilter(told)


class NoNetworkError(UserError):
    """The hub does not answer at all."""


class BrokenOffError(UserError):
    """A transfer stopped on the way; the next try goes on with it."""
