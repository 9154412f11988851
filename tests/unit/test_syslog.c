/* Syslog: addresses, what a line begins with, and lines that are sent. */
#include <arpa/inet.h>
#include <check.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gateway/logger/sink.h"
#include "protocols/syslog.h"

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
static char path[64], received[16384];
static const uint32_t id = 3;

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
add_sink(enum sink_kind kind, const char *scheme, const char *tag)
{
	struct sink_facts facts = {
		.id = id,
		.kind = kind,
		.facility = "local0",
	};

	snprintf(facts.to, sizeof(facts.to), "%s%s", scheme, path);
	snprintf(facts.tag, sizeof(facts.tag), "%s", tag);
	sink_add(&facts, stock_create());
}

static void
set_up(void)
{
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	ck_assert_ptr_null(log_open("/dev/null"));
}

static void
ignore(uint32_t sink)
{
	(void)sink;
}

/* As much as the other side takes; a host has to be looked up first. */
static void
send_all(uint64_t now)
{
	for (int i = 0; i < 200 && !sinks_are_empty(); i++) {
		if (sinks_write(now + (uint64_t)i * 1000, ignore) != -1)
			usleep(1000);
	}
}

static void
tear_down(void)
{
	struct sink *s = sink_find(id);
	size_t len = stock_all(&s->stock).len;

	stock_done(&s->stock, len);
	sink_end(id);
	sinks_write(0, ignore);
	ck_assert_ptr_null(sink_find(id));
	log_open("-");
	unlink(path);
	rmdir(folder);
}

static bool
say(enum log_level level, bool is_access, const char *text)
{
	struct sink *s = sink_find(id);
	const struct sink_line line = {
		.level = level,
		.is_access = is_access,
		.pid = 4711,
		.app = "shop",
		.text = slice_str(text),
	};
	uint64_t in;

	if (sink_offer(s, &line, &in) == -1)
		return false;
	s->stock.state->in = in;
	return true;
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
		{ LOG_LEVEL_DEBUG, 135 },
	};
	int fd = listen_at(SOCK_DGRAM);
	char pattern[128];

	add_sink(SINK_SYSLOG, "unix:", "a:b c");
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		ck_assert(say(levels[i].level, false, "one\ntwo"));
		send_all(1);
		snprintf(pattern, sizeof(pattern),
			"^<%d>" STAMP
			" alicorn\\.a\\.b\\.c\\.error\\[4711\\]: one two$",
			levels[i].priority);
		expect(fd, pattern);
	}
	ck_assert(say(LOG_LEVEL_INFO, true, "GET /"));
	send_all(1);
	expect(fd, "^<134>" STAMP " alicorn\\.a\\.b\\.c\\.access\\[4711\\]: GET /$");
	close(fd);
}
END_TEST

START_TEST(lines_of_rfc_5424)
{
	int fd = listen_at(SOCK_DGRAM);

	add_sink(SINK_SYSLOG, "unix:", "shop");
	sink_find(id)->facts.rfc5424 = 1;
	ck_assert(say(LOG_LEVEL_ERROR, false, "no"));
	send_all(1);
	expect(fd,
		"^<131>1 [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[-+][0-9]{2}:[0-9]{2} "
		"[^ ]+ alicorn\\.shop 4711 error - no$");
	close(fd);
}
END_TEST

START_TEST(lines_of_a_stream)
{
	char scheme[80];
	int fd = listen_at(SOCK_STREAM);

	snprintf(scheme, sizeof(scheme), "unix:");
	strcat(path, "#stream");
	add_sink(SINK_SYSLOG, scheme, "");
	path[strlen(path) - strlen("#stream")] = '\0';
	ck_assert(say(LOG_LEVEL_ERROR, false, "one"));
	ck_assert(say(LOG_LEVEL_ERROR, false, "two"));
	send_all(1);
	int client = accept(fd, NULL, NULL);
	expect(client,
		"^<131>" STAMP " alicorn\\.error\\[4711\\]: one\n<131>[^\n]*two\n$");
	close(client);
	close(fd);
}
END_TEST

START_TEST(lines_of_the_journal)
{
	int fd = listen_at(SOCK_DGRAM);

	add_sink(SINK_JOURNAL, "", "");
	ck_assert(say(LOG_LEVEL_WARNING, false, "a\nPRIORITY=0"));
	send_all(1);
	expect(fd,
		"^PRIORITY=4\nSYSLOG_IDENTIFIER=alicorn\nSYSLOG_PID=4711\n"
		"ALICORN_POOL=shop\nMESSAGE=a PRIORITY=0\n$");
	close(fd);
}
END_TEST

/* Nobody reads, or reads no more: lines wait as far as there is room, and go on when
 * somebody does again. */
START_TEST(lost_and_found)
{
	add_sink(SINK_SYSLOG, "unix:", "");
	ck_assert(say(LOG_LEVEL_ERROR, false, "first"));
	ck_assert_int_ne(sinks_write(1, ignore), -1);
	int fd = listen_at(SOCK_DGRAM);
	send_all(10000);
	expect(fd, "first$");
	int n = 0;
	while (say(LOG_LEVEL_ERROR, false, "too many"))
		n++;
	ck_assert_int_gt(n, 1000);
	ck_assert_int_ne(sinks_write(20000, ignore), -1);
	expect(fd, "too many$");
	close(fd);
	unlink(path);
	sinks_write(30000, ignore);
	fd = listen_at(SOCK_DGRAM);
	sinks_write(40000, ignore);
	expect(fd, "too many$");
	close(fd);
}
END_TEST

START_TEST(hosts_are_looked_up)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(name);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, len), 0);
	getsockname(fd, (struct sockaddr *)&name, &len);
	snprintf(path, sizeof(path), "localhost:%d", ntohs(name.sin_port));
	add_sink(SINK_SYSLOG, "udp://", "");
	ck_assert(say(LOG_LEVEL_ERROR, false, "found"));
	send_all(1);
	expect(fd, "^<131>" STAMP " [^ ]+ alicorn\\.error\\[4711\\]: found$");
	close(fd);
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
	tcase_add_test(lines, lines_of_rfc_5424);
	tcase_add_test(lines, lines_of_a_stream);
	tcase_add_test(lines, lines_of_the_journal);
	tcase_add_test(lines, lost_and_found);
	tcase_add_test(lines, hosts_are_looked_up);
	suite_add_tcase(s, lines);
	return s;
}
