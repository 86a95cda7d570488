"""Answers with everything that Flask believes it received."""

import base64

from flask import Flask, request

app = Flask(__name__)


@app.route("/", defaults={"path": ""}, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@app.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def answer(path):
    request.get_data(cache=True)
    return {
        "method": request.method,
        "path": request.path,
        "believed": {
            "args": request.args.to_dict(flat=False),
            "form": request.form.to_dict(flat=False),
            "values": request.values.to_dict(flat=False),
            "json": request.get_json(force=True, silent=True),
            "files": [
                {
                    "field": field,
                    "filename": f.filename,
                    "type": f.mimetype,
                    "content": base64.b64encode(f.read()).decode(),
                }
                for field, f in request.files.items(multi=True)
            ],
        },
    }
