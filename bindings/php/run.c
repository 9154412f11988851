#include <php.h>
#include <SAPI.h>
#include <php_main.h>
#include <stdlib.h>

#include "bindings/php/exchange.h"
#include "bindings/php/folder.h"
#include "bindings/php/sendfile.h"

/* What the interpreter wants to know before it begins. It changes none of these texts,
 * though it calls some of them char *. */
static void
describe(const struct exchange *x)
{
	const struct facts *facts = &x->facts;

	SG(request_info) = (sapi_request_info){
		.request_method = facts->text[FACT_METHOD],
		.request_uri = (char *)facts->text[FACT_URI],
		.query_string = (char *)facts->text[FACT_QUERY],
		.content_type = facts->text[FACT_TYPE],
		.content_length = (zend_long)al_body_length(x->req),
		.path_translated = (char *)x->script->file,
		.proto_num = 1001,
	};
	SG(sapi_headers).http_response_code = 200;
	/* Without one this forgets who the last request's user was. */
	php_handle_auth_data(facts->text[FACT_AUTHORIZATION]);
}

static void
execute(const struct place *script)
{
	zend_file_handle file;

	zend_stream_init_filename(&file, script->file);
	file.primary_script = true;
	folder_enter(script->file);
	php_execute_script(&file);
	zend_destroy_file_handle(&file);
}

int
exchange_run(
	struct al_request *req, const struct facts *facts, const struct place *script)
{
	struct exchange x = {
		.req = req,
		.facts = *facts,
		.script = script,
		.file = FILE_NONE,
	};

	SG(server_context) = &x;
	describe(&x);
	if (php_request_startup() == SUCCESS)
		execute(script);
	else
		x.failed = true;
	SG(post_read) = 1; /* what of the body was not asked for is not needed */
	php_request_shutdown(NULL);
	response_finish(&x);
	SG(server_context) = NULL;
	return x.failed ? AL_ERROR : AL_DONE;
}
