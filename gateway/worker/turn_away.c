#include "gateway/worker/turn_away.h"

#include <sys/socket.h>

#include "gateway/logger/log.h"
#include "gateway/worker/error_page.h"
#include "gateway/worker/fcgi.h"
#include "gateway/worker/self.h"

enum { TELL_MS = 1000 };

/* What the client sent is read, lest the answer be lost in a reset. */
void
turn_away(int fd, const char *why)
{
	static uint64_t told;
	const struct error_page *page = error_page(503);
	char dropped[4096];

	if (told == 0 || self.loop.now - told >= TELL_MS) {
		log_warning("%s: clients are turned away with 503: %s",
			self.settings->name, why);
		told = self.loop.now;
	}
	if (!fcgi_is_spoken()) /* else it is no answer without a request's id */
		send(fd, page->text, page->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0)
		;
}
