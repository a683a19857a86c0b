# SPDX-License-Identifier: Apache-2.0
"""Reads the files of a checkpoint, from the description in src/base/snapshot_file.h alone."""
import array
import struct


def read(path):
    """{name: bytes} of one file. The checksum is left to the program."""
    data = path.read_bytes()
    magic, version, _, size, entries = struct.unpack_from("<8sIIQQ", data)
    assert (magic, version, size) == (b"gwsnap\r\n", 1, len(data))
    found, at = {}, 32
    for _ in range(entries):
        name_length, _, length = struct.unpack_from("<IIQ", data, at)
        at += 16 + name_length
        found[data[at - name_length:at].decode()] = data[at:at + length]
        at += length
    assert at == len(data) - 8
    return found


def floats(values):
    return array.array("f", values)
