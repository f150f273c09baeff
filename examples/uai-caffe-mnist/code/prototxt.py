"""Protocol buffers as text, as far as solvers and nets go: every field is a list of what was said of it."""

import re

TOKEN = re.compile(r'\s*(?:#[^\n]*|("[^"\n]*")|([{}:])|([^\s{}:#"]+))')


def value_of(word):
    if word.startswith('"'):
        return word[1:-1]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


def message(words):
    fields = {}
    for name in words:
        if name == "}":
            break
        word = next(words)
        if word == ":":
            word = next(words)
        fields.setdefault(name, []).append(message(words) if word == "{" else value_of(word))
    return fields


def read(path):
    with open(path) as text:
        return message(iter([word for match in TOKEN.finditer(text.read()) for word in match.groups() if word]))
