/* php://stdin is the request's body, as it is in CGI. */
#ifndef PHP_BINDING_STDIN_H
#define PHP_BINDING_STDIN_H

/* After the interpreter's start. 0 or -1. */
int stdin_register(void);

#endif
