#include "bindings/php/variables.h"

#include <SAPI.h>
#include <Zend/zend_smart_str.h>
#include <php_globals.h>
#include <php_variables.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* ---- Names ---- */

/* Names have numbers of the gateway's: what is known of one is looked up once. */
static struct name {
	zend_string *text;
	enum fact fact;
} known[AL_VAR_IDS];

/* The last three are fields by which a proxy that sends files tells an application
 * where they are. We are no such proxy, so they come from a client that pretends to be
 * one. */
static const struct {
	const char *name;
	enum fact fact;
	bool is_prefix;
} names[] = {
	{ "REQUEST_METHOD", FACT_METHOD, false },
	{ "REQUEST_URI", FACT_URI, false },
	{ "QUERY_STRING", FACT_QUERY, false },
	{ "SCRIPT_NAME", FACT_MOUNT, false },
	{ "PATH_INFO", FACT_PATH, false },
	{ "CONTENT_TYPE", FACT_TYPE, false },
	{ "HTTP_COOKIE", FACT_COOKIE, false },
	{ "HTTP_AUTHORIZATION", FACT_AUTHORIZATION, false },
	{ "HTTP_IF_MODIFIED_SINCE", FACT_IF_MODIFIED_SINCE, false },
	{ "HTTP_X_SENDFILE", FACT_HIDDEN, true },
	{ "HTTP_X_ACCEL_", FACT_HIDDEN, true },
	{ "HTTP_X_LIGHTTPD_SEND_FILE", FACT_HIDDEN, true },
};

static enum fact
fact_of(const struct al_var *var)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i].name);
		bool fits = names[i].is_prefix ? var->name_len >= len
					       : var->name_len == len;
		if (fits && memcmp(var->name, names[i].name, len) == 0)
			return names[i].fact;
	}
	return FACT_OTHER;
}

/* Kept as long as the process. */
static zend_string *
text_new(const char *text, size_t len)
{
	zend_string *s = zend_string_init(text, len, true);

	zend_string_hash_val(s);
	GC_MAKE_PERSISTENT_LOCAL(s);
	return s;
}

static const struct name *
name_of(const struct al_var *var)
{
	if (var->id == 0 || var->id >= AL_VAR_IDS)
		return NULL;
	struct name *name = &known[var->id];
	if (name->text == NULL) {
		name->text = text_new(var->name, var->name_len);
		name->fact = fact_of(var);
	}
	return name;
}

void
facts_read(struct facts *facts, struct al_request *req)
{
	size_t n;
	const struct al_var *vars = al_env_all(req, &n);

	*facts = (struct facts){ .req = req };
	for (size_t i = 0; i < n; i++) {
		const struct name *name = name_of(&vars[i]);
		if (name != NULL)
			facts->text[name->fact] = vars[i].value;
	}
}

/* ---- What is the same in all requests ---- */

static struct constant {
	zend_string *name, *value;
} * constants;
static size_t n_constants;

enum { OWN_CONSTANTS = 4 };

static void
add_constant(const char *name, size_t name_len, const char *value)
{
	constants[n_constants++] = (struct constant){
		.name = text_new(name, name_len),
		.value = text_new(value, strlen(value)),
	};
}

/* As php-fpm tells its own. */
static void
add_user(void)
{
	const struct passwd *user = getpwuid(geteuid());

	if (user == NULL)
		return;
	add_constant("USER", 4, user->pw_name);
	add_constant("HOME", 4, user->pw_dir);
}

const char *
variables_load(const struct site *site)
{
	size_t n = 0;

	while (al_option("raw_env", n) != NULL)
		n++;
	constants = calloc(OWN_CONSTANTS + n, sizeof(*constants));
	if (constants == NULL)
		return "out of memory";
	add_user();
	add_constant("DOCUMENT_ROOT", 13, site->root_len != 0 ? site->root : "/");
	add_constant("REDIRECT_STATUS", 15, "200");
	for (size_t i = 0; i < n; i++) {
		const char *text = al_option("raw_env", i);
		const char *value = strchr(text, '=');
		if (value != NULL)
			add_constant(text, (size_t)(value - text), value + 1);
	}
	return NULL;
}

void
variables_release(void)
{
	for (size_t i = 0; i < n_constants; i++) {
		zend_string_free(constants[i].name);
		zend_string_free(constants[i].value);
	}
	free(constants);
	for (size_t i = 0; i < AL_VAR_IDS; i++)
		if (known[i].text != NULL)
			zend_string_free(known[i].text);
}

/* ---- $_SERVER ---- */

/* The filter is the interpreter's: filter_input() knows what it was shown. */
static void
set(HashTable *server, zend_string *name, const char *text, size_t len)
{
	char *value = estrndup(text, len);
	zval entry;

	if (sapi_module.input_filter(PARSE_SERVER, ZSTR_VAL(name), &value, len, &len)) {
		ZVAL_STRINGL_FAST(&entry, value, len);
		zend_hash_update(server, name, &entry);
	}
	efree(value);
}

static void
set_text(HashTable *server, const char *name, const char *value, size_t len)
{
	zend_string *key = zend_string_init(name, strlen(name), false);

	set(server, key, value, len);
	zend_string_release(key);
}

static void
set_vars(HashTable *server, struct al_request *req)
{
	size_t n;
	const struct al_var *vars = al_env_all(req, &n);

	for (size_t i = 0; i < n; i++) {
		const struct al_var *var = &vars[i];
		const struct name *name = name_of(var);
		enum fact fact = name != NULL ? name->fact : fact_of(var);
		if (fact == FACT_HIDDEN || fact == FACT_MOUNT || fact == FACT_PATH)
			continue;
		if (name != NULL)
			set(server, name->text, var->value, var->value_len);
		else
			set_text(server, var->name, var->value, var->value_len);
	}
}

/* Where the script is, in four ways. */
static void
set_script(HashTable *server, const struct facts *facts, const struct place *script)
{
	const char *mount = facts->text[FACT_MOUNT];
	smart_str name = { 0 };

	smart_str_appends(&name, mount != NULL ? mount : "");
	smart_str_appends(&name, script->name);
	smart_str_0(&name);
	set_text(server, "SCRIPT_FILENAME", script->file, strlen(script->file));
	set_text(server, "SCRIPT_NAME", ZSTR_VAL(name.s), ZSTR_LEN(name.s));
	if (script->path_info != NULL) {
		set_text(server, "PATH_INFO", script->path_info,
			strlen(script->path_info));
		smart_str_appends(&name, script->path_info);
		smart_str_0(&name);
	}
	set_text(server, "PHP_SELF", ZSTR_VAL(name.s), ZSTR_LEN(name.s));
	smart_str_free(&name);
}

void
variables_register(zval *array, const struct facts *facts, const struct place *script)
{
	HashTable *server = Z_ARRVAL_P(array);

	for (size_t i = 0; i < n_constants; i++)
		set(server, constants[i].name, ZSTR_VAL(constants[i].value),
			ZSTR_LEN(constants[i].value));
	set_vars(server, facts->req);
	set_script(server, facts, script);
}
