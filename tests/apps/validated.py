"""The application that $APPLICATION names, within the validator of the standard library, for
servers of any make. What it has to complain of is an exception, and thus in the log."""

import importlib
import os
import wsgiref.validate


class Input(wsgiref.validate.InputWrapper):
    """The validator wants read() to be given a size. PEP 3333 does not, and frameworks do
    not give one where the server says wsgi.input_terminated."""

    def read(self, *size):
        return super().read(*(size or (-1,)))


wsgiref.validate.InputWrapper = Input
# Whether a response has a Content-Type is between application and client, and real ones send
# 204 with one and 301 without.
wsgiref.validate.check_content_type = lambda status, headers: None

module, _, name = os.environ["APPLICATION"].partition(":")
application = wsgiref.validate.validator(getattr(importlib.import_module(module), name))
