"""The pictures of a ``multipart/form-data`` body (RFC 7578) that lies in memory already: nothing is spooled to disk."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from edge.errors import RequestError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # exists for type checkers only

FIELD = "image"
NAME_LENGTH = 255
OTHER_FIELDS = 100


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part of a form. ``file_name`` is None where the sender gave none."""

    field: str
    file_name: str | None
    data: bytes


def parse_form(content_type: str, body: bytes, *, max_parts: int) -> list[FormPart]:
    """Return the parts of a whole form, in order. Raises RequestError for one that is broken, cut off or too long."""
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise RequestError("the multipart body cannot be read: the content type names no boundary")
    form = _Form(max_parts)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise RequestError(f"the multipart body cannot be read: {error}") from error
    if not form.complete:
        raise RequestError("the multipart body is cut off: its closing boundary is missing")
    return form.parts


def form_images(content_type: str, body: bytes, *, max_images: int) -> list[FormPart]:
    """Return the parts of the repeatable field ``image``. Raises RequestError, also where there is none."""
    parts = parse_form(content_type, body, max_parts=max_images + OTHER_FIELDS)
    images = [part for part in parts if part.field == FIELD]
    if not images:
        fields = ", ".join(sorted({repr(part.field) for part in parts})) or "none"
        raise RequestError(f"the multipart body has no picture in the field {FIELD!r}; its fields: {fields}")
    return images


class _Form:
    """Takes the parser's events."""

    def __init__(self, max_parts: int) -> None:
        self.parts: list[FormPart] = []
        self.complete = False
        self._max_parts = max_parts
        self._name = self._value = b""
        self._disposition = b""
        self._data: list[bytes] = []

    def callbacks(self) -> "MultipartCallbacks":
        """Return what to call on which event."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= self._max_parts:
            raise RequestError(
                f"the multipart body has more than {self._max_parts} parts; send them in several requests"
            )
        self._disposition, self._data = b"", []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _part_end(self) -> None:
        options = parse_options_header(self._disposition.decode("latin-1"))[1]
        file_name = options.get(b"filename", b"").decode("utf-8", "replace")[:NAME_LENGTH]
        field = options.get(b"name", b"").decode("utf-8", "replace")
        self.parts.append(FormPart(field, file_name or None, b"".join(self._data)))

    def _end(self) -> None:
        self.complete = True
