/*
 * Where settings of applications have an effect beside applications: for a listener's
 * front, and in a route to files or to a FastCGI program. What has none where it stands
 * is refused, so that nobody waits for it.
 */
#include "gateway/config/routes.h"

/* A bit for each place where a setting is in use. One that is not in the table is for
 * whoever serves connections: applications and fronts. */
enum {
	APPS = 1, /* nowhere else */
	FILES = 1 << USE_FILES,
	FASTCGI = 1 << USE_FASTCGI,
};

static const unsigned char uses[APP_SETTINGS] = {
	[APP_target] = APPS,
	[APP_worker_class] = APPS,
	[APP_threads] = APPS,
	[APP_relief_after] = APPS,
	[APP_iterate_interval] = APPS,
	[APP_detached_timeout] = APPS,
	[APP_detached_stop] = APPS,
	[APP_preload_app] = APPS,
	[APP_primary] = APPS,
	[APP_chdir] = APPS,
	[APP_pythonpath] = APPS,
	[APP_venv] = APPS,
	[APP_root] = FASTCGI,
	[APP_script] = FASTCGI,
	[APP_index] = FILES | FASTCGI,
	[APP_listing] = FILES,
	[APP_cache_control] = FILES,
	[APP_params] = FASTCGI,
	[APP_fcgi_connections] = FASTCGI,
	[APP_fcgi_keepalive] = FASTCGI,
	[APP_fcgi_queue] = FASTCGI,
	[APP_fcgi_queue_timeout] = FASTCGI,
	[APP_fcgi_connect_timeout] = FASTCGI,
	[APP_fcgi_send_timeout] = FASTCGI,
	[APP_fcgi_read_timeout] = FASTCGI,
	[APP_fcgi_fail_timeout] = FASTCGI,
	[APP_fcgi_resolve] = FASTCGI,
	[APP_sendfile_roots] = FASTCGI,
	[APP_php_ini] = APPS,
	[APP_php_value] = APPS,
	[APP_php_admin_value] = APPS,
	[APP_lua_path] = APPS,
	[APP_lua_cpath] = APPS,
	[APP_cgi_processes] = APPS,
	[APP_cgi_nph] = APPS,
	[APP_cgi_authorization] = APPS,
	[APP_capture_output] = APPS,
	[APP_post_worker_init] = APPS,
	[APP_pre_request] = APPS,
	[APP_post_request] = APPS,
	[APP_worker_int] = APPS,
	[APP_worker_abort] = APPS,
	[APP_worker_exit] = APPS,
};

bool
setting_is_used(enum app_setting row, enum setting_use use)
{
	return use == USE_FRONT ? uses[row] == 0 : (uses[row] & 1 << use) != 0;
}

/* A front's processes do another work than those of applications, whose number the top
 * of a file and the command line tell. */
bool
setting_is_inherited(enum app_setting row, enum setting_use use)
{
	bool number =
		row == APP_workers || row == APP_workers_min || row == APP_workers_max;

	return setting_is_used(row, use) && !number;
}
