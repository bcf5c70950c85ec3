"""An exported model on the hub, when a person asks for it."""

from pathlib import Path

from common.errors import UserError


def push(folder: Path, repository: str) -> str:
    """Upload an exported folder to `repository` (org/name; made private if it is new) and return its address."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    if repository.count("/") != 1:
        raise UserError(f"PUSH={repository} is no repository on the hub", "PUSH=your-name/model-name")
    api = HfApi()
    try:
        address = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload a fine-tuned model")
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        cures = {401: "hf auth login (with a token that may write)", 403: "use a token that may write, or another name"}
        raise UserError(f"the hub refused {repository}: {error}", cures.get(status, "try again later")) from None
    except OSError as error:
        raise UserError(f"the hub cannot be reached: {error}", "check the network and try again") from None
    return str(address)
