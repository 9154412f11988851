/* The WebSocket codec of the examples: each vector is read whole, and in two pieces,
 * split at each of its bytes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/websocket/frame.h"
#include "examples/websocket/handshake.h"
#include "examples/websocket/sha1.h"

Suite *websocket_suite(void);

enum { LIMIT = 300, ROOM = 1024 };

#define COUNT(array) ((int)(sizeof(array) / sizeof(array[0])))

/* ---- Frames ---- */

/* Frames are written as a list of "HEAD,HEAD,…:payload", where the heads are hex, an M
 * stands for the mask, and the payload is masked with it. What is read of them comes
 * out as "opcode:payload" for each message, and the code at the end if there is one;
 * payloads that are long stand as their length. */
static const struct {
	const char *frames[6];
	const char *messages;
} vectors[] = {
	{ { "8185M:Hello" }, "1:Hello " },
	{ { "8180M:" }, "1: " },
	{ { "8285M:Hello" }, "2:Hello " },
	{ { "0183M:Hel", "8082M:lo" }, "1:Hello " },
	{ { "0183M:Hel", "0080M:", "0081M:l", "8081M:o" }, "1:Hello " },
	{ { "0183M:Hel", "8984M:ping", "8082M:lo" }, "9:ping 1:Hello " },
	{ { "8984M:ping", "8a80M:", "8182M:on" }, "9:ping 10: 1:on " },
	{ { "8180M:", "8180M:", "0180M:", "8080M:" }, "1: 1: 1: " },
	{ { "8880M:" }, "8:1005 " },
	{ { "8882M:\x03\xe8" }, "8:1000 " },
	{ { "8887M:\x0f\xa1 \xc3\xa9 !" }, "8:4001 " },
	/* Lengths. */
	{ { "82fe007eM:#126" }, "2:#126 " },
	{ { "82fe012cM:#300" }, "2:#300 " },
	{ { "82fe012dM:" }, "-1009" },
	{ { "02fe012cM:#300", "8081M:x" }, "-1009" },
	{ { "82fe007dM:" }, "-1002" },
	{ { "82ff0000000000000100M:" }, "-1002" },
	{ { "82ff000000000000ffffM:" }, "-1002" },
	{ { "82ff0000000000010000M:" }, "-1009" },
	{ { "82ff8000000000000000M:" }, "-1002" },
	{ { "82ff7fffffffffffffffM:" }, "-1009" },
	/* What no client may send. */
	{ { "8105" }, "-1002" },
	{ { "c180M:" }, "-1002" },
	{ { "a180M:" }, "-1002" },
	{ { "9180M:" }, "-1002" },
	{ { "8380M:" }, "-1002" },
	{ { "8b80M:" }, "-1002" },
	{ { "8080M:" }, "-1002" },
	{ { "8181M:x", "8080M:" }, "1:x -1002" },
	{ { "0181M:x", "8181M:y" }, "-1002" },
	{ { "0980M:" }, "-1002" },
	{ { "89fe007eM:" }, "-1002" },
	{ { "8881M:x" }, "-1002" },
	{ { "8882M:\x03\xed" }, "-1002" },
	{ { "8882M:\x03\xe7" }, "-1002" },
	{ { "8882M:\x0b\xb7" }, "-1002" },
	{ { "8882M:\x13\x88" }, "-1002" },
	{ { "8883M:\x03\xe8\xff" }, "-1007" },
	{ { "8884M:\x03\xe8\xe2\x82" }, "-1007" },
	/* Text. */
	{ { "8183M:\xe2\x82\xac" }, "1:\xe2\x82\xac " },
	{ { "0181M:\xe2", "8082M:\x82\xac" }, "1:\xe2\x82\xac " },
	{ { "8182M:\xe2\x82" }, "-1007" },
	{ { "0182M:\xc0\xaf" }, "-1007" },
	{ { "0182M:\xe2\x28" }, "-1007" },
	{ { "8183M:\xed\xa0\x80" }, "-1007" },
	{ { "8184M:\xf4\x90\x80\x80" }, "-1007" },
	{ { "8184M:\xf0\x9f\xa6\x84" }, "1:\xf0\x9f\xa6\x84 " },
	{ { "8181M:\x80" }, "-1007" },
	{ { "8281M:\x80" }, "2:\x80 " },
};

static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

static size_t
put_head(uint8_t *to, const char *text)
{
	unsigned byte;
	size_t n = 0;

	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		to[n++] = (uint8_t)byte;
	if (*text == 'M') {
		memcpy(to + n, mask, sizeof(mask));
		n += sizeof(mask);
	}
	return n;
}

static size_t
put_payload(uint8_t *to, const char *text)
{
	size_t n = strlen(text);

	if (*text == '#')
		n = strtoul(text + 1, NULL, 10);
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(*text == '#' ? 'x' : text[i]) ^ mask[i % 4];
	return n;
}

static size_t
make_frames(uint8_t *to, const char *const *frames)
{
	size_t n = 0;

	for (; *frames != NULL; frames++) {
		const char *payload = strchr(*frames, ':');
		n += put_head(to + n, *frames);
		if (payload != NULL)
			n += put_payload(to + n, payload + 1);
	}
	return n;
}

static void
note(char *text, const struct message *m)
{
	char *end = text + strlen(text);
	size_t room = ROOM - (size_t)(end - text);

	if (m->opcode == OP_CLOSE)
		snprintf(end, room, "%d:%d ", m->opcode, (int)frame_close_code(m));
	else if (m->n > 100)
		snprintf(end, room, "%d:#%zu ", m->opcode, m->n);
	else
		snprintf(end, room, "%d:%.*s ", m->opcode, (int)m->n,
			m->n > 0 ? (const char *)m->data : "");
}

/* All messages of a piece, from memory of its own, so that a read behind it is seen. */
static int
read_piece(struct frame_reader *r, const uint8_t *bytes, size_t n, char *text)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	const uint8_t *at = copy;
	struct message m;
	int got;

	memcpy(copy, bytes, n);
	while ((got = frame_read(r, &at, &n, &m)) == 1)
		note(text, &m);
	ck_assert(got < 0 || n == 0);
	free(copy);
	if (got < 0)
		snprintf(text + strlen(text), ROOM - strlen(text), "%d", got);
	return got;
}

START_TEST(frames)
{
	uint8_t bytes[2 * ROOM];
	size_t n = make_frames(bytes, vectors[_i].frames);

	for (size_t split = 0; split <= n; split++) {
		char text[ROOM] = "";
		struct frame_reader r;
		frame_reader_init(&r, LIMIT);
		if (read_piece(&r, bytes, split, text) == 0)
			read_piece(&r, bytes + split, n - split, text);
		ck_assert_str_eq(text, vectors[_i].messages);
		frame_reader_release(&r);
	}
}
END_TEST

START_TEST(frames_byte_by_byte)
{
	uint8_t bytes[2 * ROOM];
	size_t n = make_frames(bytes, vectors[_i].frames);
	char text[ROOM] = "";
	struct frame_reader r;
	int got = 0;

	frame_reader_init(&r, LIMIT);
	for (size_t i = 0; i < n && got == 0; i++)
		got = read_piece(&r, bytes + i, 1, text);
	ck_assert_str_eq(text, vectors[_i].messages);
	frame_reader_release(&r);
}
END_TEST

static const struct {
	size_t n, len;
	uint8_t head[FRAME_HEAD_MAX];
} heads[] = {
	{ 0, 2, { 0x81, 0 } },
	{ 125, 2, { 0x81, 125 } },
	{ 126, 4, { 0x81, 126, 0, 126 } },
	{ 65535, 4, { 0x81, 126, 0xff, 0xff } },
	{ 65536, 10, { 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0 } },
};

START_TEST(own_heads)
{
	uint8_t head[FRAME_HEAD_MAX];

	ck_assert_uint_eq(frame_head(head, OP_TEXT, heads[_i].n), heads[_i].len);
	ck_assert_mem_eq(head, heads[_i].head, heads[_i].len);
}
END_TEST

/* ---- UTF-8 ---- */

static bool
is_utf8(const uint8_t *bytes, size_t n)
{
	struct utf8 u = { 0 };

	return utf8_feed(&u, bytes, n) && utf8_is_complete(&u);
}

/* Every character above U+07FF, in three bytes and in four, and what has their form. An
 * assertion for each would take long. */
START_TEST(every_character)
{
	unsigned wrong = 0;

	for (uint32_t c = 0x800; c < 0x120000; c++) {
		const uint8_t three[] = { (uint8_t)(0xe0 | c >> 12),
			(uint8_t)(0x80 | (c >> 6 & 63)), (uint8_t)(0x80 | (c & 63)) };
		const uint8_t four[] = { (uint8_t)(0xf0 | c >> 18),
			(uint8_t)(0x80 | (c >> 12 & 63)),
			(uint8_t)(0x80 | (c >> 6 & 63)), (uint8_t)(0x80 | (c & 63)) };
		bool surrogate = c >= 0xd800 && c < 0xe000;
		if (c < 0x10000)
			wrong += is_utf8(three, 3) == surrogate;
		wrong += is_utf8(four, 4) != (c >= 0x10000 && c < 0x110000);
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(two_bytes)
{
	unsigned wrong = 0;

	for (unsigned first = 0; first < 256; first++)
		for (unsigned second = 0; second < 256; second++) {
			const uint8_t bytes[] = { (uint8_t)first, (uint8_t)second };
			bool ascii = first < 0x80 && second < 0x80;
			bool pair = first >= 0xc2 && first < 0xe0 && second >= 0x80 &&
				second < 0xc0;
			wrong += is_utf8(bytes, 2) != (ascii || pair);
		}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* ---- The handshake ---- */

static const struct {
	const char *text, *digest;
} digests[] = {
	{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
	{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
};

START_TEST(digest)
{
	uint8_t bytes[SHA1_BYTES];
	char text[2 * SHA1_BYTES + 1];

	sha1(digests[_i].text, strlen(digests[_i].text), bytes);
	for (size_t i = 0; i < SHA1_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	ck_assert_str_eq(text, digests[_i].digest);
}
END_TEST

/* A million times "a" (RFC 3174), and the lengths about the end of a block. */
START_TEST(digest_of_much)
{
	static const uint8_t expected[] = { 0x34, 0xaa, 0x97, 0x3c, 0xd4, 0xc4, 0xda,
		0xa4, 0xf6, 0x1e, 0xeb, 0x2b, 0xdb, 0xad, 0x27, 0x31, 0x65, 0x34, 0x01,
		0x6f };
	uint8_t bytes[SHA1_BYTES], *text = malloc(1000000);

	memset(text, 'a', 1000000);
	sha1(text, 1000000, bytes);
	ck_assert_mem_eq(bytes, expected, SHA1_BYTES);
	for (size_t n = 54; n < 130; n++)
		sha1(text + 1000000 - n, n, bytes);
	free(text);
}
END_TEST

static const struct {
	const char *key, *accept; /* NULL: refused */
} keys[] = {
	{ "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" },
	{ "AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI=" },
	{ "", NULL },
	{ "dGhlIHNhbXBsZSBub25jZQ", NULL },
	{ "dGhlIHNhbXBsZSBub25jZR==", NULL },
	{ "dGhlIHNhbXBsZSBub25jZQ=A", NULL },
	{ "dGhlIHNhbXBsZSBub25jZQ==A", NULL },
	{ "dGhlIHNhbXBsZSBub25j-Q==", NULL },
	{ "dGhlIHNhbXBsZSBub25jZWU=", NULL },
};

START_TEST(accept_key)
{
	char accept[ACCEPT_LEN + 1];

	ck_assert_int_eq(
		handshake_accept(keys[_i].key, accept), keys[_i].accept != NULL);
	if (keys[_i].accept != NULL)
		ck_assert_str_eq(accept, keys[_i].accept);
}
END_TEST

static const struct {
	const char *list;
	bool names;
} lists[] = {
	{ "upgrade", true },
	{ "keep-alive, Upgrade", true },
	{ ",,\tUPGRADE ,", true },
	{ "", false },
	{ "upgraded", false },
	{ "up grade", false },
	{ "keep-alive", false },
};

START_TEST(list_of_tokens)
{
	ck_assert_int_eq(handshake_names(lists[_i].list, "upgrade"), lists[_i].names);
}
END_TEST

Suite *
websocket_suite(void)
{
	Suite *s = suite_create("websocket");
	TCase *t = tcase_create("websocket");

	tcase_add_loop_test(t, frames, 0, COUNT(vectors));
	tcase_add_loop_test(t, frames_byte_by_byte, 0, COUNT(vectors));
	tcase_add_loop_test(t, own_heads, 0, COUNT(heads));
	tcase_add_test(t, every_character);
	tcase_add_test(t, two_bytes);
	tcase_add_loop_test(t, digest, 0, COUNT(digests));
	tcase_add_test(t, digest_of_much);
	tcase_add_loop_test(t, accept_key, 0, COUNT(keys));
	tcase_add_loop_test(t, list_of_tokens, 0, COUNT(lists));
	suite_add_tcase(s, t);
	return s;
}
