/*
 * A binding for one more language: JavaScript, by the interpreter Duktape. It is
 * described in docs/guides/writing-a-binding.md; app.js is an application.
 */
#include <alicorn.h>
#include <duktape.h>
#include <stdio.h>

enum { MOST_HEADERS = 64 };

/* The environ as an object, with the body as one more member, onto the stack. */
static void
push_request(duk_context *js, struct al_request *req)
{
	size_t n, length = (size_t)al_body_length(req), got = 0;
	const struct al_var *vars = al_env_all(req, &n);
	ssize_t more;

	duk_push_object(js);
	for (size_t i = 0; i < n; i++) {
		duk_push_lstring(js, vars[i].value, vars[i].value_len);
		duk_put_prop_lstring(js, -2, vars[i].name, vars[i].name_len);
	}
	/* The interpreter's memory, which it frees whatever happens. */
	char *body = duk_push_fixed_buffer(js, length);
	while (got < length && (more = al_read(req, body + got, length - got)) > 0)
		got += (size_t)more;
	duk_buffer_to_string(js, -1);
	duk_put_prop_string(js, -2, "body");
}

static void
send_head(duk_context *js, struct al_request *req, duk_idx_t response)
{
	struct al_header headers[MOST_HEADERS];
	size_t n = 0;

	duk_require_stack(js, 2 * MOST_HEADERS + 8);
	duk_get_prop_string(js, response, "headers");
	duk_enum(js, -1, DUK_ENUM_OWN_PROPERTIES_ONLY);
	duk_idx_t each = duk_get_top_index(js);
	/* Names and values stay on the stack, so they live until al_start(). */
	for (; duk_next(js, each, true); n++) {
		if (n == MOST_HEADERS)
			(void)duk_range_error(js, "more than %d headers", MOST_HEADERS);
		headers[n].name = duk_to_lstring(js, -2, &headers[n].name_len);
		headers[n].value = duk_to_lstring(js, -1, &headers[n].value_len);
	}
	duk_get_prop_string(js, response, "status");
	if (al_start(req, duk_to_string(js, -1), headers, n) != 0)
		(void)duk_type_error(js, "this head cannot be sent");
}

/* Runs in a protected call: whatever fails in it, in C or in JavaScript, ends up as an
 * error of the interpreter. So nothing in it may need to be freed. */
static duk_ret_t
answer(duk_context *js, void *req)
{
	size_t length;

	duk_get_global_string(js, "handle");
	push_request(js, req);
	duk_call(js, 1);
	duk_idx_t response = duk_get_top_index(js);
	send_head(js, req, response);
	duk_get_prop_string(js, response, "body");
	const char *body = duk_to_lstring(js, -1, &length);
	al_write_last(req, body, length); /* fails when the client has gone */
	return 0;
}

static int
handle(void *app, struct al_request *req)
{
	duk_context *js = app;
	bool failed = duk_safe_call(js, answer, req, 0, 1) != DUK_EXEC_SUCCESS;
	if (failed)
		al_log(req, AL_LOG_ERROR, "%s", duk_safe_to_stacktrace(js, -1));
	duk_pop(js);
	return failed ? AL_ERROR : AL_DONE;
}

/* log(text), for scripts. */
static duk_ret_t
script_log(duk_context *js)
{
	al_log(NULL, AL_INFO, "%s", duk_to_string(js, 0));
	return 0;
}

/* Runs the script, given its path; what it defines stays. In a protected call, too. */
static duk_ret_t
run_script(duk_context *js, void *path)
{
	char piece[4096];
	size_t n;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return duk_error(js, DUK_ERR_ERROR, "it cannot be read");
	duk_push_string(js, "");
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0) {
		duk_push_lstring(js, piece, n);
		duk_concat(js, 2);
	}
	fclose(f);
	duk_push_string(js, path); /* what stack traces call it */
	duk_compile(js, 0);
	duk_call(js, 0);
	duk_get_global_string(js, "handle");
	if (!duk_is_function(js, -1))
		(void)duk_error(
			js, DUK_ERR_ERROR, "it has no function handle(request)");
	return 0;
}

static const char *
load(const char *target, void **app)
{
	static char error[512];
	duk_context *js = duk_create_heap_default();

	if (js == NULL)
		return "memory is out";
	al_file(target); /* a change of it is followed by a reload, with --reload */
	duk_push_c_function(js, script_log, 1);
	duk_put_global_string(js, "log");
	if (duk_safe_call(js, run_script, (void *)target, 0, 1) != DUK_EXEC_SUCCESS) {
		snprintf(error, sizeof(error), "%s: %s", target,
			duk_safe_to_string(js, -1));
		return error;
	}
	duk_pop(js);
	*app = js;
	return NULL;
}

static void
unload(void *app)
{
	duk_destroy_heap(app);
}

const struct al_binding al_binding = {
	.abi = AL_ABI,
	.name = "javascript",
	.load = load,
	.handle = handle,
	.unload = unload,
};
