"""Answers with everything that Django believes it received."""

import base64
import json

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import re_path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests",
    DATA_UPLOAD_MAX_MEMORY_SIZE=20 << 20,
    FILE_UPLOAD_MAX_MEMORY_SIZE=20 << 20,
)


def attempt(read):
    try:
        return read()
    except Exception:  # what cannot be read is not believed
        return None


def lists(querydict):
    return {name: values for name, values in querydict.lists()}


def answer(request):
    if request.method == "HEAD":
        return HttpResponse()
    body = attempt(lambda: request.body) or b""
    return JsonResponse(
        {
            "method": request.method,
            "path": request.path,
            "believed": {
                "GET": attempt(lambda: lists(request.GET)),
                "POST": attempt(lambda: lists(request.POST)),
                "json": attempt(lambda: json.loads(body)),
                "files": attempt(lambda: [
                    {
                        "field": field,
                        "filename": f.name,
                        "type": f.content_type,
                        "content": base64.b64encode(f.read()).decode(),
                    }
                    for field, files in request.FILES.lists()
                    for f in files
                ]),
            },
        }
    )


urlpatterns = [re_path("", answer)]
app = get_wsgi_application()
