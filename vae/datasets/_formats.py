"""What an image file is, told from its bytes without decoding it."""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

__all__ = [
    "PIXELS",
    "PNG_LEVELS",
    "Tiff",
    "orientation",
    "png_depth",
    "png_transparency",
    "read_anew",
    "tiff",
    "unused_alpha",
    "what_it_is",
]

# The revision of the pixels of those kinds that `read_anew` tells: raise it when some kind comes to be read otherwise.
PIXELS = 2

Tags = Mapping[int, tuple[int, ...]]

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 26  # bytes, up to the depth and the colour type
PNG_LEVELS: Mapping[int, int] = {1: 255, 2: 85, 4: 17, 8: 1, 16: 1}  # of a decoded pixel, by one step of a sample
_LONGEST_TEXT = 2**20  # bytes of metadata that are unpacked to look for an orientation
_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|\s*>\s*)([0-9])""")
_TURNS = range(1, 9)  # what the tag of an orientation may say

_TAGS = frozenset({258, 259, 262, 277, 284, 338, 339, _ORIENTATION})
_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_VALUES = 64  # of a tag: no image has more bands
_SAMPLE_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point"}
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
_PHOTOMETRICS = {0: "white-is-zero", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "CIELab", 32803: "colour-filter"}

_HEAD = 1024  # bytes in which the mark of a format is looked for

_ALPHA_BYTES = {0xFF: 0, 0xFF00: 1, 0xFF0000: 2, 0xFF000000: 3}  # by the mask

# What is often found where an image should be: its first bytes, and what to call it.
_STRANGERS = (
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer, not the image itself: fetch it with git lfs pull"),
    (re.compile(rb"\s*<(!doctype html|html|head|body)", re.IGNORECASE), "a web page, as a failed download leaves it"),
    (re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<svg", re.IGNORECASE | re.DOTALL), "an SVG drawing"),
    (re.compile(rb"\s*<\?xml"), "an XML file"),
    (re.compile(rb".{4}ftyp(avif|avis)", re.DOTALL), "an AVIF image"),
    (re.compile(rb".{4}ftyp(hei|hev|mif1|msf1)", re.DOTALL), "a HEIC image"),
    (re.compile(rb".{4}ftyp", re.DOTALL), "a film (MP4 or QuickTime)"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL image"),
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 image"),
    (re.compile(rb"\0\0[\x01\x02]\0"), "an icon or cursor (ICO, CUR)"),
    (re.compile(rb"8BPS"), "a Photoshop document"),
    (re.compile(rb"%PDF"), "a PDF document"),
    (re.compile(rb"%!PS"), "a PostScript document"),
    (re.compile(rb"\x89HDF"), "an HDF5 file"),
    (re.compile(rb".{128}DICM", re.DOTALL), "a DICOM file"),
    (re.compile(rb"\x93NUMPY"), "an array of NumPy: give it to the data set 'arrays'"),
    (re.compile(rb"PK\x03\x04"), "a zip file"),
    (re.compile(rb"\x1f\x8b"), "a gzip file"),
)
# Those that are read: such a file is damaged, or of a kind that Pillow does not know.
_FAMILIARS = (
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"GIF8"), "GIF"),
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(re.escape(_PNG)), "PNG"),
    (re.compile(rb"P[1-6fF]\s"), "PPM"),
    (re.compile(rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]"), "TIFF"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "WebP"),
)


def what_it_is(content: bytes, known: str) -> str:
    """Say of a file that no decoder takes what it is.

    >>> what_it_is(b"<html>", "PNG")
    'is a web page, as a failed download leaves it'

    Args:
        content: the whole file.
        known: the formats that are read.
    """
    if not content:
        return "is empty (0 bytes)"
    if not content.strip(b"\0"):
        return f"is nothing but {len(content):,} zero bytes, as a failed copy leaves them"
    head = content[:_HEAD]
    for pattern, name in _STRANGERS:
        if pattern.match(head):
            return f"is {name}"
    found = tiff(content)
    if found is not None and not found.common:
        black = ", 0 as black" if found.white_is_zero else ""
        told = f"is {found.told()}, which is not read"
        return f"{told}; save it with unsigned samples of 8 or 16 bits, 1 or 3 bands{black}"
    for pattern, name in _FAMILIARS:
        if pattern.match(head):
            return f"is a {name} file, but damaged or of a kind that is not read"
    return f"no readable image: none of {known}"


@dataclass(frozen=True)
class Tiff:
    """How the first image of a TIFF is stored.

    Attributes:
        big_endian: the order of its bytes.
        tags: those that say what its samples mean.
    """

    big_endian: bool
    tags: Tags

    @property
    def bits(self) -> int:
        """Bits of a sample; the greatest number where bands differ."""
        return max(self.tags.get(258, (1,)))

    @property
    def bands(self) -> int:
        """Samples of a pixel."""
        return self._one(277, len(self.tags.get(258, (1,))))

    @property
    def signed(self) -> bool:
        """Whether samples are whole numbers with a sign."""
        return 2 in self.tags.get(339, (1,))  # noqa: PLR2004 - the tag's code

    @property
    def white_is_zero(self) -> bool:
        """Whether 0 is white; Pillow takes it so where nothing is said."""
        return self._one(262, 0) == 0

    @property
    def common(self) -> bool:
        """Whether any reader takes it, unless it is damaged."""
        meaning = self.tags.get(339, (1,)) in {(1,), (1, 1, 1)} and self._one(262, 1) in {1, 2, 3}
        return meaning and self.bits in {1, 8, 16} and self.bands in {1, 3} and self._one(259, 1) in _COMPRESSIONS

    @property
    def planes(self) -> bool:
        """Whether each band is stored by itself, uncompressed."""
        return self._one(284, 1) == 2 and self._one(259, 1) == 1  # noqa: PLR2004 - the tag's code

    def told(self) -> str:
        """Say it in words."""
        formats = self.tags.get(339, (1,))
        kind = _SAMPLE_FORMATS.get(formats[0], "undefined") if formats else "undefined"
        colour = _PHOTOMETRICS.get(self._one(262, 0), "")
        more = f" ({colour})" if colour else ""
        if self._one(259, 1) not in _COMPRESSIONS:
            more += f" in compression {self._one(259, 1)}"
        alpha = " with transparency" if {1, 2} & set(self.tags.get(338, ())) else ""
        return f"a TIFF of {self.bands} x {self.bits}-bit {kind} samples{more}{alpha}"

    def _one(self, tag: int, default: int) -> int:
        values = self.tags.get(tag, ())
        return values[0] if values else default


def tiff(content: bytes) -> Tiff | None:
    """Return how the first image of a TIFF is stored; None for what is no TIFF, or one without a directory."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return None
    with suppress(struct.error, OverflowError):
        version = struct.unpack_from(f"{order}H", content, 2)[0]
        if version == 43:  # noqa: PLR2004 - BigTIFF
            return Tiff(
                order == ">", _directory(content, order, struct.unpack_from(f"{order}Q", content, 8)[0], big=True)
            )
        return Tiff(order == ">", _directory(content, order, struct.unpack_from(f"{order}I", content, 4)[0], big=False))
    return None


def _directory(content: bytes, order: str, at: int, *, big: bool) -> Tags:
    count = struct.unpack_from(f"{order}{'Q' if big else 'H'}", content, at)[0]
    start, step, inline = (at + 8, 20, 8) if big else (at + 2, 12, 4)
    tags = {}
    for entry in range(start, min(start + count * step, len(content)), step):
        with suppress(struct.error, OverflowError):  # one that points nowhere: Pillow passes over it too
            tag, kind, number = struct.unpack_from(f"{order}HH{'Q' if big else 'I'}", content, entry)
            if tag not in _TAGS or kind not in _TIFF_TYPES or not 0 < number <= _MOST_VALUES:
                continue
            values = f"{order}{number}{_TIFF_TYPES[kind]}"
            place = entry + step - inline
            if struct.calcsize(values) > inline:
                place = struct.unpack_from(f"{order}{'Q' if big else 'I'}", content, place)[0]
            tags[tag] = struct.unpack_from(values, content, place)
    return tags


def orientation(content: bytes) -> int:
    """Return the EXIF orientation (1 to 8) of a PNG or WebP file, 1 where it has none.

    As with JPEG, EXIF goes before XMP.
    """
    found = 0
    for text in _metadata(content):
        tags = _exif(text)
        said = tags.get(_ORIENTATION, (0,)) if tags is not None else ()
        if tags is None and not found and (match := _XMP_ORIENTATION.search(text)):
            found = int(match[1])
        elif said and said[0] in _TURNS:
            return said[0]
    return found if found in _TURNS else 1


def _exif(text: bytes) -> Tags | None:
    found = tiff(text.removeprefix(b"Exif\0\0"))
    return None if found is None else found.tags


def _metadata(content: bytes) -> Iterator[bytes]:
    """Give what may hold an orientation: EXIF as it is, XMP as XML."""
    if content.startswith(_PNG):
        for kind, body in _png_chunks(content):
            yield from _png_metadata(kind, body)
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        at = 12
        while at + 8 <= len(content):
            kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
            if kind in {b"EXIF", b"XMP "}:
                yield content[at + 8 : at + 8 + length]
            at += 8 + length + length % 2


def _png_metadata(kind: bytes, body: bytes) -> Iterator[bytes]:
    if kind == b"eXIf":
        yield body
    elif kind in {b"tEXt", b"zTXt"} and body.startswith(b"Raw profile type exif\0"):
        text = body.partition(b"\0")[2]
        lines = (_unpacked(text[1:]) if kind == b"zTXt" else text).split(b"\n")
        with suppress(ValueError):  # a line with the name, one with the length, then hexadecimal digits
            yield bytes.fromhex(b"".join(lines[3:]).decode("latin-1"))
    elif kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0"):
        compressed, text = body[18:19] == b"\1", body[20:].split(b"\0", 2)[-1]
        yield _unpacked(text) if compressed else text


def _unpacked(text: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(text, _LONGEST_TEXT)
    except zlib.error:
        return b""


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at + 8 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        yield kind, content[at + 8 : at + 8 + length] if kind not in {b"IDAT", b"fdAT"} else b""
        at += 12 + length


def png_depth(content: bytes) -> int:
    """Return the bits of a sample of a PNG file; 0 for what is none."""
    return content[24] if content.startswith(_PNG) and len(content) >= _PNG_HEADER else 0


def png_transparency(content: bytes) -> tuple[int, ...] | None:
    """Return the sample values, one a band, of the colour that a PNG file without a palette calls transparent."""
    if not png_depth(content) or content[25] not in {0, 2}:
        return None
    bands = 1 if content[25] == 0 else 3
    for kind, body in _png_chunks(content):
        if kind == b"tRNS" and len(body) >= 2 * bands:
            return struct.unpack_from(f">{bands}H", body)
        if kind == b"IDAT":
            break
    return None


def unused_alpha(content: bytes) -> bool:
    """Tell whether a 32-bit BMP file has an alpha channel that is 0 everywhere: written by who does not know of it."""
    if content[:2] != b"BM" or len(content) < 70:  # noqa: PLR2004 - the headers, up to the masks
        return False
    start, size, width, height = struct.unpack_from("<IIii", content, 10)
    bits, compression = struct.unpack_from("<HI", content, 28)
    if bits != 32 or compression != 3:  # noqa: PLR2004 - only with masks is there alpha
        return False
    *colours, alpha = struct.unpack_from("<IIII", content, 54)
    if size < 56:  # noqa: PLR2004 - such a header has no mask for alpha
        alpha = 0
    place = _ALPHA_BYTES.get(alpha) if alpha or any(colours) else 3
    return place is not None and not any(content[start + place : start + 4 * abs(width * height) : 4])


def read_anew(content: bytes) -> bool:
    """Tell whether an image is of a kind that came out wrong before there was `PIXELS`, and comes out right since.

    These are TIFFs of 12 bits, of 8 with a sign, of 16 in separate planes or with white as zero; PNG and WebP files
    that are to be turned; PNG files of 2, 4 or 16 bits with a transparent colour; and BMP files with an unused alpha
    channel.
    """
    found = tiff(content)
    if found is not None:
        signed = found.bits == 8 and found.signed  # noqa: PLR2004
        return signed or found.bits == 12 or (found.bits == 16 and (found.planes or found.white_is_zero))  # noqa: PLR2004
    if png_depth(content) in {2, 4, 16} and png_transparency(content) is not None:
        return True
    return orientation(content) != 1 or unused_alpha(content)
