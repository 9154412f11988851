/* The functions that scripts have here beside the interpreter's own. */
#ifndef PHP_BINDING_FUNCTIONS_H
#define PHP_BINDING_FUNCTIONS_H

#include <php.h>

extern zend_module_entry functions_module;

#endif
