/*
 * The interpreter's side: what it asks of the server that it runs in.
 */
#include <php.h>
#include <SAPI.h>
#include <php_ini.h>
#include <php_main.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "bindings/php/exchange.h"
#include "bindings/php/folder.h"
#include "bindings/php/functions.h"
#include "bindings/php/ini.h"
#include "bindings/php/stdin.h"

/* Opcache works only in servers that it knows by name, and applications do this or that
 * in some of them. In this one they all do nothing particular. */
#define NAME "uwsgi"

/* Of the interpreter, in none of its headers. */
extern char *php_ini_opened_path;

static int
start(sapi_module_struct *module)
{
	return php_module_startup(module, &functions_module);
}

/* What is printed while modules start belongs to nobody. */
static size_t
write_output(const char *text, size_t n)
{
	struct exchange *x = exchange_now();

	if (x != NULL && response_write(x, text, n) != 0)
		php_handle_aborted_connection();
	return n;
}

static void
flush(void *context)
{
	struct exchange *x = context;

	if (x == NULL || x->finished)
		return;
	if (!SG(headers_sent))
		sapi_send_headers();
	if (response_flush(x) != 0)
		php_handle_aborted_connection();
}

static int
send_headers(sapi_headers_struct *headers)
{
	struct exchange *x = exchange_now();

	if (x == NULL || x->finished || response_start(x, headers) != 0)
		return SAPI_HEADER_SEND_FAILED;
	return SAPI_HEADER_SENT_SUCCESSFULLY;
}

/* Less than was asked for means the end of the body. */
static size_t
read_post(char *buffer, size_t room)
{
	struct exchange *x = exchange_now();
	size_t n = 0;
	ssize_t got = 1;

	while (n < room && got > 0) {
		got = al_read(x->req, buffer + n, room - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		al_log(x->req, AL_LOG_ERROR, "the request's body cannot be read: %m");
	return n;
}

static char *
read_cookies(void)
{
	return (char *)exchange_now()->facts.text[FACT_COOKIE];
}

static void
register_variables(zval *array)
{
	const struct exchange *x = exchange_now();

	if (x != NULL)
		variables_register(array, &x->facts, x->script);
}

/* error_log() comes as a notice, and is not less to its author than a warning. */
static enum al_level
level_of(int priority)
{
	if (priority <= LOG_CRIT)
		return AL_CRITICAL;
	if (priority == LOG_ERR)
		return AL_LOG_ERROR;
	return priority <= LOG_NOTICE ? AL_WARNING : AL_INFO;
}

/* Stack traces have many lines. */
static void
log_message(const char *text, int priority)
{
	const struct exchange *x = exchange_now();

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		al_log(x != NULL ? x->req : NULL, level_of(priority), "%.*s", (int)len,
			text);
		text += len + (text[len] == '\n');
	}
}

static sapi_module_struct module = {
	.name = (char *)NAME,
	.pretty_name = (char *)"Alicorn",
	.startup = start,
	.shutdown = php_module_shutdown_wrapper,
	.ub_write = write_output,
	.flush = flush,
	.sapi_error = php_error,
	.send_headers = send_headers,
	.read_post = read_post,
	.read_cookies = read_cookies,
	.register_server_variables = register_variables,
	.log_message = log_message,
	.php_ini_ignore_cwd = 1,
};

/* Our own signal handlers are there already, and stay: the interpreter would put its
 * own in their places at each request. */
const char *
interpreter_start(void)
{
	const char *ini = al_option("php_ini", 0);

	if (ini != NULL && access(ini, R_OK) != 0)
		return "php_ini: no file that can be read";
	zend_signal_startup();
	SIGG(reset) = 0;
	module.php_ini_path_override = (char *)ini;
	sapi_startup(&module); /* which forgets entries */
	module.ini_entries = ini_text();
	if (module.ini_entries == NULL)
		return "out of memory";
	if (module.startup(&module) != SUCCESS)
		return "PHP does not start";
	ini_lock();
	folder_watch();
	SG(options) |= SAPI_OPTION_NO_CHDIR;
	/* The whole request is there before a script begins: no time to receive it. */
	PG(max_input_time) = -1;
	if (php_ini_opened_path != NULL)
		al_file(php_ini_opened_path);
	return stdin_register() == 0 ? NULL : "php://stdin cannot be provided";
}

void
interpreter_stop(void)
{
	php_module_shutdown();
	sapi_shutdown();
	free(module.ini_entries);
}
