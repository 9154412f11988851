#include "gateway/worker/request_id.h"

#include <endian.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

enum {
	UUID_BYTES = 36,
	RANDOM_IDS = 64, /* whose randomness is asked for at once */
	FRACTIONS = 4096, /* of a millisecond, that are told apart */
	MILLION = 1000000,
};

/* Not ids at all in their fields. */
static const char none[] = "none";

static struct slice name;

/* ---- Our own ---- */

static uint64_t randoms[RANDOM_IDS];
static size_t n_randoms; /* that have not been used */

/* A child would go on with the same ones. */
static void
forget_randoms(void)
{
	n_randoms = 0;
}

/* Where the kernel has none to give, which it has from the boot on, the clock must do:
 * ids then differ as well as times and processes do. */
static uint64_t
next_random(uint64_t clock)
{
	if (n_randoms == 0 &&
		getrandom(randoms, sizeof(randoms), GRND_NONBLOCK) != sizeof(randoms))
		return clock * UINT64_C(0x9e3779b97f4a7c15) ^ (uintptr_t)&clock;
	if (n_randoms == 0)
		n_randoms = RANDOM_IDS;
	return randoms[--n_randoms];
}

/* Eight digits: each half of a byte gets a byte, then 0 to 9 and 10 to 15 their letter.
 */
static void
write_hex(char *out, uint64_t number)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	number = (number << 16 | number) & UINT64_C(0x0000ffff0000ffff);
	number = (number << 8 | number) & UINT64_C(0x00ff00ff00ff00ff);
	number = (number << 4 | number) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	uint64_t letters = (number + ones * 6) >> 4 & ones;
	number = htobe64(number + ones * '0' + letters * ('a' - '0' - 10));
	memcpy(out, &number, sizeof(number));
}

/* The groups of a UUID have 8, 4, 4, 4 and 12 digits. */
static void
write_uuid(char *out, uint64_t high, uint64_t low)
{
	char digits[32];

	write_hex(digits, high >> 32);
	write_hex(digits + 8, high & UINT32_MAX);
	write_hex(digits + 16, low >> 32);
	write_hex(digits + 24, low & UINT32_MAX);
	memcpy(out, digits, 8);
	memcpy(out + 9, digits + 8, 4);
	memcpy(out + 14, digits + 12, 4);
	memcpy(out + 19, digits + 16, 4);
	memcpy(out + 24, digits + 20, 12);
	out[8] = out[13] = out[18] = out[23] = '-';
	out[UUID_BYTES] = '\0';
}

/* Milliseconds in 48 bits, the version, a fraction of a millisecond in 12 bits; the
 * variant, then chance (RFC 9562 sections 5.7 and 6.2, method 3). */
static size_t
make_id(char *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t ns = (uint64_t)now.tv_nsec;
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + ns / MILLION;
	uint64_t fraction = ns % MILLION * FRACTIONS / MILLION;
	uint64_t chance = next_random((uint64_t)now.tv_sec << 32 ^ ns);
	write_uuid(out, ms << 16 | UINT64_C(7) << 12 | fraction,
		UINT64_C(2) << 62 | chance >> 2);
	return UUID_BYTES;
}

/* ---- That of a proxy ---- */

static bool
is_good(struct slice id)
{
	static const char more[] = "._:/+=@-";

	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i], letter = (char)(c | 0x20);
		if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') &&
			memchr(more, c, sizeof(more) - 1) == NULL)
			return false;
	}
	return id.len > 0 && id.len <= REQUEST_ID_MAX;
}

/* The place of the field; n_fields: there is none. */
static size_t
find_field(const struct http1_head *head)
{
	size_t at = 0;

	while (at < head->n_fields && !slice_caseeq(head->fields[at].name, name))
		at++;
	return at;
}

/* The id that the field has at this place, or none, or one of our own. */
static struct slice
take_id(struct al_request *req, size_t at)
{
	const struct http1_head *head = &req->head;
	struct slice told = { 0 };

	if (req->conn->trusted && at < head->n_fields)
		told = head->fields[at].value;
	if (is_good(told)) {
		memcpy(req->id, told.ptr, told.len);
		req->id[told.len] = '\0';
		req->id_len = (unsigned char)told.len;
	} else {
		req->id_len = (unsigned char)make_id(req->id);
	}
	return slice_of(req->id, req->id_len);
}

/* ---- To be asked ---- */

void
request_id_open(const struct app_settings *settings)
{
	name = slice_str(settings->request_id_header);
	if (strcasecmp(settings->request_id_header, none) == 0)
		name.len = 0;
	pthread_atfork(NULL, NULL, forget_randoms);
}

struct slice
request_id_name(void)
{
	return name;
}

/* Of a head that could not be read nothing is known. */
struct slice
request_id(struct al_request *req)
{
	if (req->id_len > 0 || name.len == 0)
		return slice_of(req->id, req->id_len);
	return take_id(req, req->head_len > 0 ? find_field(&req->head) : SIZE_MAX);
}

/* There is room for one field more than a client may send. */
void
request_id_give(struct al_request *req)
{
	struct http1_head *head = &req->head;

	if (name.len == 0)
		return;
	size_t at = find_field(head), kept = at + 1;
	struct slice id = req->id_len > 0 ? request_id(req) : take_id(req, at);
	if (at == head->n_fields)
		head->fields[head->n_fields++].name = name;
	head->fields[at].value = id;
	for (size_t i = kept; i < head->n_fields; i++)
		if (!slice_caseeq(head->fields[i].name, name))
			head->fields[kept++] = head->fields[i];
	head->n_fields = kept;
}

struct http1_field
request_id_field(struct al_request *req)
{
	return (struct http1_field){ .name = name, .value = request_id(req) };
}
