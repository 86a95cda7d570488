"""Answers with everything that CherryPy believes it received."""

import base64

import cherrypy


def split(params):
    """Parts the texts of params from its files."""
    texts, files = {}, []
    for field, values in params.items():
        for value in values if isinstance(values, list) else [values]:
            if hasattr(value, "file"):
                content = b""
                if value.file:  # there is none when it is empty
                    value.file.seek(0)
                    content = value.file.read()
                files.append({
                    "field": field,
                    "filename": value.filename,
                    "type": str(value.content_type),
                    "content": base64.b64encode(content).decode(),
                })
            else:
                texts.setdefault(field, []).append(value)
    return texts, files


class Upstream:
    @cherrypy.expose
    @cherrypy.tools.json_out()
    @cherrypy.tools.json_in(force=False)
    def default(self, *path, **params):
        texts, files = split(params)
        return {
            "method": cherrypy.request.method,
            "path": cherrypy.request.path_info,
            "believed": {"params": texts, "files": files, "json": getattr(cherrypy.request, "json", None)},
        }

    index = default


cherrypy.config.update({"environment": "embedded", "server.max_request_body_size": 20 << 20})
app = cherrypy.Application(Upstream(), "", {"/": {"request.methods_with_bodies": ("POST", "PUT", "PATCH", "DELETE")}})
