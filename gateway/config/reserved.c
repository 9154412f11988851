/*
 * The settings of gunicorn that are not settings here, so that its users always get a
 * sentence. What becomes a setting moves from here to settings.def.
 */
#include "gateway/config/sources.h"
#include "gateway/config/text.h"

#define NO_TLS "TLS is not built in yet; put a TLS proxy in front"
#define NO_HTTP2 \
	"HTTP/2 is not built in yet; put a proxy in front that speaks it to clients"
#define NO_UWSGI \
	"uwsgi is not spoken; let the web server pass requests on by HTTP, or by " \
	"FastCGI " \
	"(protocol)"
#define NO_PYTHON_LOG \
	"the log is not Python's; leave it out, and see log_config, errorlog, " \
	"accesslog and loglevel"
#define NO_ASGI "ASGI is not built in; the application must be a WSGI one"
#define NO_DIRTY \
	"there is no second kind of workers; what takes long can be an application " \
	"of its " \
	"own, with its own workers and timeout"
#define TOO_LAX \
	"has no meaning here: a request of that form is refused, as programs differ " \
	"in how " \
	"they read it"

static const struct {
	const char *words; /* names, flags and short flags */
	const char *advice;
} table[] = {
	{ "keyfile|certfile|ca_certs|cert_reqs|ciphers|ssl_context", NO_TLS },
	{ "ssl_version|suppress_ragged_eofs|do_handshake_on_connect",
		"has no meaning here: gunicorn's Python needs it, or does not even "
		"that; leave it out" },
	{ "http_protocols|http2_cleartext|http2_max_concurrent_streams|"
	  "http2_initial_window_size|http2_max_frame_size|"
	  "http2_max_header_list_size",
		NO_HTTP2 },
	{ "uwsgi_allow_ips|uwsgi-allow-from", NO_UWSGI },

	{ "logconfig|logconfig_dict|logconfig_json|log-config-json|logger_class",
		NO_PYTHON_LOG },
	{ "wsgi_app",
		"give the application as target, on the command line as the word that "
		"is no option" },
	{ "paste|paster|raw_paste_global_conf|paste-global",
		"ini files are not read; name a function that loads the file: "
		"MODULE:FUNCTION(\"FILE\")" },
	{ "spew", "tracing is Python's business: its modules trace and sys do it" },
	{ "asgi_loop|asgi_lifespan|asgi_disconnect_grace_period|root_path", NO_ASGI },
	{ "http_parser", "there is one parser, in C; leave it out" },
	{ "dirty_apps|dirty-app|dirty_workers|dirty_threads|dirty_timeout|"
	  "dirty_graceful_timeout|on_dirty_starting|dirty_post_fork|"
	  "dirty_worker_init|dirty_worker_exit",
		NO_DIRTY },
	{ "default_proc_name", "give proc_name" },

	{ "worker_tmp_dir",
		"has no meaning here: workers report in shared memory; leave it out" },
	{ "tmp_upload_dir", "large request bodies are in files in spool_dir" },
	{ "permit_obsolete_folding|strip_header_spaces|"
	  "permit_unconventional_http_method|permit_unconventional_http_version|"
	  "casefold_http_method",
		TOO_LAX },
};

const char *
reserved_advice(struct slice word)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct slice words = slice_str(table[i].words), next;
		while (text_next_word(&words, &next))
			if (text_same_flag(next, word))
				return table[i].advice;
	}
	return NULL;
}
