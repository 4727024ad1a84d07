"""What can go wrong, named by whose fault it is.

::

    EdgeError                    never raised itself
    ├ ConfigError                the configuration or the command line
    ├ InputError                 the caller's request
    │ ├ ImageDecodeError         bytes that are no picture, or only part of one
    │ ├ ImageTooLargeError       more bytes or pixels than allowed
    │ └ RequestError             a body that does not follow the contract
    ├ ModelError
    │ ├ ModelNotFoundError       no such model or version where we looked
    │ ├ ModelInvalidError        bundle, graph or golden pictures do not hold together
    │ │ └ ModelUntrustedError    signed by nobody who is trusted, or changed since
    │ ├ ModelUnsupportedError    a task or family that this version does not run
    │ └ ModelNotReadyError       no proven model is running yet
    ├ InferenceError             a loaded model failed on a valid input
    ├ OverloadedError            the queue is full; try again later
    ├ DeadlineError              the answer would have come too late
    ├ StoppingError              accepted no more: the daemon is stopping
    └ UnavailableError           the world outside; tried again with backoff
      ├ DeviceError              the asked-for device does not run the model
      ├ SourceError              a camera, folder or file
      ├ RegistryError            the place where models are found
      ├ StoreError               the disk that keeps bundles and state
      └ PublishError             the broker or the file that takes results

Adapters translate third-party errors into these, once, with ``raise … from exc``. Every message names the thing and,
where there is one, the remedy. What HTTP status or exit code an error means is not decided here.
"""


class EdgeError(Exception):
    """Root of all errors that automl-edge raises on purpose."""


class ConfigError(EdgeError):
    """The configuration or the command line is wrong; the text lists every problem, one a line."""


class InputError(EdgeError):
    """The caller's request cannot be answered as it is."""


class ImageDecodeError(InputError):
    """The bytes are no picture, or only part of one."""


class ImageTooLargeError(InputError):
    """The picture or the body holds more bytes or pixels than allowed."""


class RequestError(InputError):
    """The request does not follow its contract: JSON, base64, content type, an empty batch."""


class ModelError(EdgeError):
    """Something about a model."""


class ModelNotFoundError(ModelError):
    """No such model or version where it was looked for."""


class ModelInvalidError(ModelError):
    """The bundle does not hold together: manifest, hashes, graph or golden pictures."""


class ModelUntrustedError(ModelInvalidError):
    """The bundle is signed by nobody who is trusted, or was changed since."""


class ModelUnsupportedError(ModelError):
    """A task or family that this version does not run."""


class ModelNotReadyError(ModelError):
    """No proven model is running yet."""


class InferenceError(EdgeError):
    """A loaded model failed on a valid input."""


class OverloadedError(EdgeError):
    """The queue is full.

    ``retry_after_s`` is how long, in seconds, the queue will take to clear at the present pace.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineError(EdgeError):
    """The deadline passed before the work began; nothing was computed."""


class StoppingError(EdgeError):
    """The daemon is stopping and takes no new work."""


class UnavailableError(EdgeError):
    """Something outside this process does not answer as it should; it is tried again with backoff."""


class DeviceError(UnavailableError):
    """The device that was asked for does not run the model."""


class SourceError(UnavailableError):
    """A source of frames is gone or gives none."""


class RegistryError(UnavailableError):
    """The place where models are found cannot be read."""


class StoreError(UnavailableError):
    """The disk that keeps bundles and state cannot be read or written."""


class PublishError(UnavailableError):
    """The receiver of results refuses or is away."""
