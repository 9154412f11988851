#include "bindings/php/folder.h"

#include <php.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "bindings/php/seen.h"

static zif_handler interpreters_chdir;
static char here[PATH_MAX]; /* "": it is not known */
static int64_t entered_at;

static PHP_FUNCTION(noted_chdir)
{
	here[0] = '\0';
	interpreters_chdir(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

void
folder_watch(void)
{
	zend_internal_function *function =
		zend_hash_str_find_ptr(CG(function_table), "chdir", strlen("chdir"));

	if (function == NULL) /* it is one of disable_functions */
		return;
	interpreters_chdir = function->handler;
	function->handler = ZEND_FN(noted_chdir);
}

/* Also the same one is entered anew every second: another may have its name now. */
void
folder_enter(const char *script)
{
	size_t len = (size_t)(strrchr(script, '/') - script);
	int64_t now = seen_clock();

	if (strncmp(here, script, len) == 0 && here[len] == '\0' && here[0] != '\0' &&
		now == entered_at)
		return;
	memcpy(here, script, len);
	here[len] = '\0';
	entered_at = now;
	if (chdir(len != 0 ? here : "/") != 0)
		here[0] = '\0';
}
