#include "bindings/php/stdin.h"

#include <php.h>
#include <php_streams.h>
#include <ext/standard/php_fopen_wrappers.h>
#include <strings.h>

/* The interpreter's own opener of php://…, but for one name. */
static php_stream *
open_stream(php_stream_wrapper *wrapper, const char *path, const char *mode,
	int options, zend_string **opened, php_stream_context *context STREAMS_DC)
{
	if (strcasecmp(path, "php://stdin") == 0)
		path = "php://input";
	return php_stream_php_wrapper.wops->stream_opener(
		wrapper, path, mode, options, opened, context STREAMS_REL_CC);
}

int
stdin_register(void)
{
	static php_stream_wrapper_ops calls;
	static php_stream_wrapper wrapper;

	calls = *php_stream_php_wrapper.wops;
	calls.stream_opener = open_stream;
	wrapper = php_stream_php_wrapper;
	wrapper.wops = &calls;
	if (php_unregister_url_stream_wrapper("php") != SUCCESS)
		return -1;
	return php_register_url_stream_wrapper("php", &wrapper) == SUCCESS ? 0 : -1;
}
