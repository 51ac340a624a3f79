"""Image files written by hand, for what no library writes."""

import struct
import zlib
from collections.abc import Mapping, Sequence

Values = int | Sequence[int]


def tiff(strips: Sequence[bytes], tags: Mapping[int, Values], order: str = "<") -> bytes:
    """Return a TIFF of one page; a tag's values are SHORTs, but those of 270 (text), 273 and 279 (LONGs)."""
    offsets, at = [], 8
    for strip in strips:
        offsets.append(at)
        at += len(strip) + len(strip) % 2
    entries, extra = [], b""
    whole: dict[int, Values] = {259: 1, **tags, 273: offsets, 279: [len(strip) for strip in strips]}
    extra_at = at + 2 + 12 * len(whole) + 4
    for tag, value in sorted(whole.items()):
        values = [value] if isinstance(value, int) else list(value)
        code, letter = (4, "I") if tag in {273, 279} else (3, "H")
        raw = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(raw) > 4:
            pointer = struct.pack(f"{order}I", extra_at + len(extra))
            extra += raw + b"\0" * (len(raw) % 2)
        else:
            pointer = raw.ljust(4, b"\0")
        entries.append(struct.pack(f"{order}HHI", tag, code, len(values)) + pointer)
    body = b"".join(strip + b"\0" * (len(strip) % 2) for strip in strips)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", at)
    return head + body + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4) + extra


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(depth: int, colour: int, width: int, rows: Sequence[bytes], *between: bytes) -> bytes:
    """Return a PNG of these rows of samples, with some chunks before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(between) + pixels + chunk(b"IEND", b"")


def bmp(pixels: Sequence[bytes], width: int, masks: Sequence[int], after: bytes = b"") -> bytes:
    """Return a BMP of 32-bit pixels whose red, green, blue and alpha are where the masks say."""
    body = b"".join(pixels)
    info = struct.pack("<IiiHHIIiiII", 124, width, len(pixels) // width, 1, 32, 3, len(body), 2835, 2835, 0, 0)
    info = (info + struct.pack("<4I", *masks)).ljust(124, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + 124 + len(body), 0, 0, 14 + 124) + info + body + after


def exif(orientation: int, order: str = "<") -> bytes:
    """Return EXIF that holds an orientation alone."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def xmp(orientation: int) -> bytes:
    """Return XMP that holds an orientation alone."""
    return f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()
