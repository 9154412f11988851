/* Syslog: addresses, what a line begins with, and lines that are sent. */
#include <check.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gateway/logger/log.h"
#include "gateway/logger/syslog.h"

Suite *syslog_suite(void);

/* ---- The codec ---- */

static const struct {
	const char *text, *host, *port;
	bool is_local, is_stream;
	const char *reason;
} addresses[] = {
	{ "udp://localhost:514", "localhost", "514", false, false, NULL },
	{ "udp://a", "a", "514", false, false, NULL },
	{ "tcp://a:601", "a", "601", false, true, NULL },
	{ "tcp://[::1]", "::1", "514", false, true, NULL },
	{ "udp://[::1]:99", "::1", "99", false, false, NULL },
	{ "unix:///dev/log", "/dev/log", "514", true, false, NULL },
	{ "unix:/dev/log#dgram", "/dev/log", "514", true, false, NULL },
	{ "unix:/dev/log#stream", "/dev/log", "514", true, true, NULL },
	{ .text = "", .reason = "it begins with none of udp://, tcp:// and unix:" },
	{ .text = "a:1", .reason = "it begins with none of udp://, tcp:// and unix:" },
	{ .text = "udp://", .reason = "the host is missing" },
	{ .text = "udp://:1", .reason = "the host is missing" },
	{ .text = "tcp://[]", .reason = "the host is missing" },
	{ .text = "tcp://[::1", .reason = "the bracket is not closed" },
	{ .text = "tcp://[::1]1",
		.reason = "behind the bracket comes :PORT or nothing" },
	{ .text = "udp://a:", .reason = "the port is not one from 1 to 65535" },
	{ .text = "udp://a:0", .reason = "the port is not one from 1 to 65535" },
	{ .text = "udp://a:65536", .reason = "the port is not one from 1 to 65535" },
	{ .text = "udp://a:x", .reason = "the port is not one from 1 to 65535" },
	{ .text = "unix:dev/log", .reason = "the path is not absolute" },
	{ .text = "unix://", .reason = "the path is not absolute" },
	{ .text = "unix:/a#b", .reason = "behind # stands neither stream nor dgram" },
};

static bool
is_text(struct slice s, const char *text)
{
	return slice_eq(s, slice_str(text));
}

START_TEST(addresses_are_parsed)
{
	struct syslog_address a;

	ck_assert_pstr_eq(syslog_parse(&a, addresses[_i].text), addresses[_i].reason);
	if (addresses[_i].reason != NULL)
		return;
	ck_assert(is_text(a.host, addresses[_i].host));
	ck_assert(is_text(a.port, addresses[_i].port));
	ck_assert_int_eq(a.is_local, addresses[_i].is_local);
	ck_assert_int_eq(a.is_stream, addresses[_i].is_stream);
}
END_TEST

START_TEST(heads)
{
	static const char expected[] =
		"<187>Nov  1 09:30:00 here alicorn.x.error[42]: ";
	struct syslog_head head = {
		.facility = syslog_facility("local7"),
		.severity = SYSLOG_ERROR,
		.when = SLICE("Nov  1 09:30:00"),
		.host = SLICE("here"),
		.tag = SLICE("alicorn.x.error"),
		.pid = 42,
	};
	char text[128];

	for (size_t room = 0; room < sizeof(text); room++) {
		size_t n = syslog_write_head(text, room, &head);
		ck_assert_uint_eq(n, room < strlen(expected) ? room : strlen(expected));
		ck_assert_mem_eq(text, expected, n);
	}
	head.host = (struct slice){ 0 };
	text[syslog_write_head(text, sizeof(text), &head)] = '\0';
	ck_assert_str_eq(text, "<187>Nov  1 09:30:00 alicorn.x.error[42]: ");
	ck_assert_int_eq(syslog_facility("kern"), 0);
	ck_assert_int_eq(syslog_facility("nobody"), -1);
}
END_TEST

/* ---- Lines ---- */

static char folder[] = "/tmp/alicorn-XXXXXX";
static char path[64], address[80], received[16384];

/* A reader of syslog at `path`. */
static int
listen_at(int type)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static void
set_up(void)
{
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(address, sizeof(address), "unix:%s", path);
	ck_assert_ptr_null(log_open("/dev/null"));
}

static void
tear_down(void)
{
	syslog_stop();
	log_open("-");
	unlink(path);
	rmdir(folder);
}

static void
expect(int fd, const char *pattern)
{
	regex_t compiled;
	ssize_t n = recv(fd, received, sizeof(received) - 1, 0);

	received[n > 0 ? n : 0] = '\0';
	ck_assert_int_eq(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&compiled, received, 0, NULL, 0) == 0,
		"%s does not match %s", received, pattern);
	regfree(&compiled);
}

#define STAMP "[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}"

START_TEST(lines_of_the_log)
{
	static const struct {
		enum log_level level;
		int priority; /* of local0, which is 16 * 8 */
	} levels[] = {
		{ LOG_LEVEL_CRITICAL, 130 },
		{ LOG_LEVEL_ERROR, 131 },
		{ LOG_LEVEL_WARNING, 132 },
		{ LOG_LEVEL_INFO, 134 },
	};
	int fd = listen_at(SOCK_DGRAM);
	char pattern[128];

	ck_assert_ptr_null(syslog_use(address, "a:b c", "local0"));
	ck_assert(syslog_enabled());
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		log_line(levels[i].level, "one\n%d", (int)i);
		snprintf(pattern, sizeof(pattern),
			"^<%d>" STAMP " alicorn\\.a\\.b\\.c\\.error\\[%d\\]: "
			"one\\\\x0a%d$",
			levels[i].priority, (int)getpid(), (int)i);
		expect(fd, pattern);
	}
	log_debug("below the level");
	expect(fd, "^$");
	syslog_send(SYSLOG_ACCESS_LOG, SYSLOG_INFO, SLICE("GET /"));
	expect(fd, "^<134>" STAMP " alicorn\\.a\\.b\\.c\\.access\\[[0-9]+\\]: GET /$");
	syslog_stop();
	log_error("not sent");
	expect(fd, "^$");
	close(fd);
}
END_TEST

START_TEST(lines_of_a_stream)
{
	int fd = listen_at(SOCK_STREAM);

	strcat(address, "#stream");
	ck_assert_ptr_null(syslog_use(address, NULL, "user"));
	log_error("one");
	log_error("two");
	int client = accept(fd, NULL, NULL);
	expect(client,
		"^<11>" STAMP " alicorn\\.error\\[[0-9]+\\]: one\n<11>[^\n]*two\n$");
	close(client);
	close(fd);
}
END_TEST

/* A socket is tried once in a second. */
static void
next_second(void)
{
	for (time_t now = time(NULL); time(NULL) == now;)
		usleep(10000);
}

/* Nobody reads, or reads no more: the log goes on, and so does syslog when it is back.
 */
START_TEST(lost_and_found)
{
	ck_assert_ptr_null(syslog_use(address, NULL, "user"));
	log_error("lost");
	int fd = listen_at(SOCK_DGRAM);
	next_second();
	log_error("found");
	expect(fd, "found$");
	for (int i = 0; i < 10000; i++)
		log_error("too many");
	close(fd);
	unlink(path);
	log_error("lost");
	fd = listen_at(SOCK_DGRAM);
	next_second();
	log_error("found again");
	expect(fd, "found again$");
	close(fd);
}
END_TEST

START_TEST(addresses_that_cannot_be)
{
	ck_assert_ptr_nonnull(syslog_use("udp://no.such.host.invalid", NULL, "user"));
	ck_assert(!syslog_enabled());
	memset(path, 'x', sizeof(path) - 1);
	char text[256];
	snprintf(text, sizeof(text), "unix:/%s%s", path, path);
	ck_assert_str_eq(syslog_use(text, NULL, "user"),
		"the path is longer than a socket's may be (107 bytes)");
	log_error("goes on");
}
END_TEST

Suite *
syslog_suite(void)
{
	Suite *s = suite_create("syslog");
	TCase *codec = tcase_create("codec"), *lines = tcase_create("lines");

	tcase_add_loop_test(codec, addresses_are_parsed, 0,
		(int)(sizeof(addresses) / sizeof(addresses[0])));
	tcase_add_test(codec, heads);
	suite_add_tcase(s, codec);
	tcase_add_checked_fixture(lines, set_up, tear_down);
	tcase_set_timeout(lines, 10);
	tcase_add_test(lines, lines_of_the_log);
	tcase_add_test(lines, lines_of_a_stream);
	tcase_add_test(lines, lost_and_found);
	tcase_add_test(lines, addresses_that_cannot_be);
	suite_add_tcase(s, lines);
	return s;
}
