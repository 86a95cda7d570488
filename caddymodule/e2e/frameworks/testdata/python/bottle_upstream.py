"""Answers with everything that Bottle believes it received."""

import base64
import json

from bottle import Bottle, request

app = Bottle()


def attempt(read):
    try:
        return read()
    except Exception:  # what cannot be read is not believed
        return None


def lists(multidict):
    return {name: multidict.getall(name) for name in multidict}


@app.route("<path:re:.*>", method=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def answer(path):
    return {
        "method": request.method,
        "path": request.path,
        "believed": {
            "query": attempt(lambda: lists(request.query.decode())),
            "forms": attempt(lambda: lists(request.forms.decode())),
            "params": attempt(lambda: lists(request.params.decode())),
            "json": attempt(lambda: json.loads(request.body.read())),
            "files": attempt(lambda: [
                {
                    "field": field,
                    "filename": f.raw_filename,
                    "type": f.content_type,
                    "content": base64.b64encode(f.file.read()).decode(),
                }
                for field, f in request.files.allitems()
            ]),
        },
    }
