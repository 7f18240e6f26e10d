"""Names of a model's inputs and outputs, for runtimes that want them and have no reader of ONNX beside them."""

INPUT, OUTPUT = 11, 12


def of(path):
    """Inputs and outputs of the graph: field 7 of a model, whose inputs and outputs are named in their field 1."""
    graph = next(value for field, value in fields(path.read_bytes()) if field == 7)
    name = lambda value: next(value for field, value in fields(value) if field == 1).decode()
    parts = list(fields(graph))
    return tuple([name(value) for field, value in parts if field == wanted] for wanted in (INPUT, OUTPUT))


def fields(message):
    """Number and value of every field of a protocol buffer."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        if key & 7 == 0:
            value, at = varint(message, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or varint(message, at)
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
