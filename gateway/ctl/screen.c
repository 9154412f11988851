#include "gateway/ctl/screen.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* ECMA-48, and for the other screen and the cursor what all terminals have from xterm.
 */
#define OTHER_SCREEN "\033[?1049h"
#define OWN_SCREEN "\033[?1049l"
#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"
#define GO_HOME "\033[H"
#define ERASE_REST_OF_LINE "\033[0m\033[K"
#define ERASE_BELOW "\033[J"

enum { ESCAPE = 27 };

static struct termios before;
static int signals = -1;

struct screen_size
screen_size(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1)
		return (struct screen_size){ 0 };
	/* Terminals that do not know say 0. */
	return (struct screen_size){
		.rows = size.ws_row != 0 ? size.ws_row : 24,
		.columns = size.ws_col != 0 ? size.ws_col : 80,
	};
}

bool
screen_has_colours(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') &&
		(term == NULL || strcmp(term, "dumb") != 0);
}

/* Keys come at once and unseen; Ctrl-C is still a signal, Ctrl-Z is none: stopped, the
 * program would leave its screen behind. */
static void
take_keys(void)
{
	struct termios now = before;

	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	now.c_cc[VMIN] = 1;
	now.c_cc[VTIME] = 0;
	now.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
}

static void
say(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

bool
screen_begin(void)
{
	sigset_t caught;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) == -1)
		return false;
	sigemptyset(&caught);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGHUP);
	sigaddset(&caught, SIGWINCH);
	sigprocmask(SIG_BLOCK, &caught, NULL);
	signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	take_keys();
	say(OTHER_SCREEN HIDE_CURSOR);
	return true;
}

void
screen_end(void)
{
	say(SHOW_CURSOR OWN_SCREEN);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	close(signals);
}

void
screen_draw(struct slice lines, const char *last)
{
	struct screen_size size = screen_size();

	fputs(GO_HOME, stdout);
	for (unsigned row = 1; row < size.rows && lines.len > 0; row++) {
		const char *end = memchr(lines.ptr, '\n', lines.len);
		size_t len = end != NULL ? (size_t)(end - lines.ptr) : lines.len;
		printf("%.*s" ERASE_REST_OF_LINE "\n", (int)len, lines.ptr);
		slice_advance(&lines, end != NULL ? len + 1 : len);
	}
	printf(ERASE_BELOW "\033[%u;1H%.*s" ERASE_REST_OF_LINE, size.rows,
		(int)size.columns, last);
	fflush(stdout);
}

/* True: it says that it is enough. */
static bool
is_quit_signal(enum screen_event *event)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGWINCH)
			return true;
		*event = SCREEN_RESIZED;
	}
	return false;
}

static bool
is_quit_key(void)
{
	char key = '\0';
	ssize_t n = read(STDIN_FILENO, &key, 1);

	return n <= 0 || key == 'q' || key == 'Q' || key == ESCAPE;
}

enum screen_event
screen_wait(int ms)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	enum screen_event event = SCREEN_TIME;

	if (poll(fds, 2, ms) <= 0)
		return SCREEN_TIME;
	if (is_quit_signal(&event) || (fds[0].revents != 0 && is_quit_key()))
		return SCREEN_QUIT;
	return event;
}
