#include "bindings/php/functions.h"

#include <SAPI.h>
#include <ctype.h>
#include <ext/standard/head.h>
#include <ext/standard/info.h>
#include <string.h>

#include "bindings/php/exchange.h"

/* The response is complete and leaves; the script goes on. The client is told not to
 * send its next request on the same connection, where it would wait for the script. */
static PHP_FUNCTION(fastcgi_finish_request)
{
	struct exchange *x = exchange_now();

	ZEND_PARSE_PARAMETERS_NONE();
	if (x == NULL || x->finished)
		RETURN_FALSE;
	x->closing = true;
	php_output_end_all();
	php_header();
	response_finish(x);
	php_output_set_status(PHP_OUTPUT_DISABLED);
	RETURN_TRUE;
}

/* HTTP_ACCEPT_LANGUAGE without its first part: Accept-Language. Returns the length. */
static size_t
spell(const char *name, size_t len, char *field, size_t room)
{
	bool begins = true;

	if (len > room)
		len = room;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];
		field[i] = (char)(c == '_' ? '-' : begins ? toupper(c) : tolower(c));
		begins = c == '_';
	}
	return len;
}

/* The name of the field that a variable was made from; 0: from none. */
static size_t
field_of(const struct al_var *var, char *field, size_t room)
{
	static const char *const prefixes[] = { "HTTP_", "CONTENT_" };
	static const size_t dropped[] = { 5, 0 };

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(prefixes[i]);
		if (var->name_len > len && memcmp(var->name, prefixes[i], len) == 0)
			return spell(var->name + dropped[i], var->name_len - dropped[i],
				field, room);
	}
	return 0;
}

static PHP_FUNCTION(getallheaders)
{
	const struct exchange *x = exchange_now();
	char field[256];
	size_t n = 0;

	ZEND_PARSE_PARAMETERS_NONE();
	array_init(return_value);
	const struct al_var *vars = x != NULL ? al_env_all(x->req, &n) : NULL;
	for (size_t i = 0; i < n; i++) {
		size_t len = field_of(&vars[i], field, sizeof(field));
		if (len != 0)
			add_assoc_stringl_ex(return_value, field, len, vars[i].value,
				vars[i].value_len);
	}
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(finish_arguments, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(headers_arguments, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

static const zend_function_entry functions[] = {
	/* clang-format off */
	PHP_FE(fastcgi_finish_request, finish_arguments)
	PHP_FE(getallheaders, headers_arguments)
	PHP_FALIAS(apache_request_headers, getallheaders, headers_arguments)
	PHP_FE_END
	/* clang-format on */
};

static PHP_MINFO_FUNCTION(alicorn)
{
	(void)zend_module;
	php_info_print_table_start();
	php_info_print_table_row(2, "Server", al_version());
	php_info_print_table_end();
}

zend_module_entry functions_module = {
	STANDARD_MODULE_HEADER,
	"alicorn",
	functions,
	NULL,
	NULL,
	NULL,
	NULL,
	PHP_MINFO(alicorn),
	NULL,
	STANDARD_MODULE_PROPERTIES,
};
