"""Lists of Feast's as messages of Protocol Buffers, for its own library to read: many times faster than Python.

They are defined here once more because Feast's module of them takes seconds to import.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

_PACKAGE: Final = "penchant.store"
_KINDS: Final = {"StringList": FieldDescriptorProto.TYPE_STRING, "Int64List": FieldDescriptorProto.TYPE_INT64}


def _messages() -> dict[str, Any]:
    """A class for each kind of list: its only field, number 1, are the values."""
    file = FileDescriptorProto(name="penchant/store.proto", package=_PACKAGE, syntax="proto3")
    for name, kind in _KINDS.items():
        repeated = FieldDescriptorProto.LABEL_REPEATED
        file.message_type.add(name=name).field.add(name="val", number=1, label=repeated, type=kind)
    pool = descriptor_pool.DescriptorPool()  # of its own: Feast's is not touched
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _KINDS}


_CLASSES: Final = _messages()
#: Texts, as ``val``.
STRINGS: Final = _CLASSES["StringList"]
#: Whole numbers of 64 bits, as ``val``.
NUMBERS: Final = _CLASSES["Int64List"]
