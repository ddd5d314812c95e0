"""Teaches schemathesis MessagePack."""

import msgpack
import schemathesis


@schemathesis.serializer("application/msgpack")
def messagepack(_, value):
    return msgpack.packb(value)


@schemathesis.deserializer("application/msgpack", "application/problem+msgpack")
def from_messagepack(_, response):
    return msgpack.unpackb(response.content, strict_map_key=False)
