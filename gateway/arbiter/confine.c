#include "gateway/arbiter/confine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/arbiter/limits.h"
#include "gateway/arbiter/privileges.h"
#include "gateway/common/channel.h"
#include "gateway/common/heritage.h"

void
confine(const struct app_settings *app, int fd)
{
	struct channel channel;
	char text[256];
	const char *reason = limits_set(app);

	if (reason == NULL)
		reason = privileges_drop(app);
	if (reason == NULL)
		return;
	snprintf(text, sizeof(text), "%s: %s", reason, strerror(errno));
	channel_init(&channel, fd);
	channel_send(&channel, MESSAGE_FAILED, slice_str(text));
	exit(EXIT_LOAD);
}
