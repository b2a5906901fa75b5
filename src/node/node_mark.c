/*-------------------------------------------------------------------------
 *
 * node_mark.c
 *	  How far this member has signed, kept beside its key.
 *
 * A database that was restored to an older point cannot know it by itself: all
 * that it has is older.  So the worker writes, after each block, which one was
 * the last, into a file beside the signing key, outside the data directory:
 *
 *		<key directory>/<x-only public key in hex>.state
 *
 * One line of fixed size: format, incarnation, height, view, block hash, and
 * the first 8 bytes of the SHA-256 of what stands before, in hex.  Format 1 is
 * of a member who makes the blocks alone; format 2, written when a worker begins,
 * says that consensus makes them: so a database from before that is known.
 *
 * The line is overwritten in place and not flushed: a flush for each block
 * would cost more than the block's own.  What that may lose is harmless.  The
 * mark is written after the block's commit is flushed, so whatever crashes, the
 * mark is never ahead of the chain that recovery brings back; after a crash of
 * the machine it may be some moments behind.  A line whose check does not fit
 * counts as none.
 *
 * The worker holds an exclusive flock on the file, which ends with its process.
 * So two databases that have the same key, on one machine, never sign at the
 * same time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/builtins.h"

#include "crypto_hash.h"
#include "node_key.h"
#include "node_mark.h"
#include "tl_compat.h"
#include "tl_error.h"

#define MARK_SUFFIX		".state"
#define FORMAT_ALONE	1
#define FORMAT_ORDERED	2
#define CHECK_SIZE		8
#define BODY_SIZE		(2 + 6 + 21 + 21 + 2 * TL_HASH_SIZE + 1)
#define MARK_SIZE		(BODY_SIZE + 2 * CHECK_SIZE + 1)

static int	mark_file = -1;
static bool mark_is_new = false;
static char mark_path[MAXPGPATH];

static bool parse(TlMark *out, const char *text);
static void check_of(char out[2 * CHECK_SIZE + 1], const char *body);
tl_noreturn static void refuse_in_use(const char *path);

/* Read the mark; false if there is none, or none that can be read. */
bool
tl_node_mark_read(TlMark *out, const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	char	   *path = tl_node_key_path(public_key, MARK_SUFFIX);
	char		text[MARK_SIZE + 1];
	ssize_t		size;
	int			file = OpenTransientFile(path, O_RDONLY | PG_BINARY);

	if (file < 0)
		return false;
	size = read(file, text, MARK_SIZE);
	CloseTransientFile(file);
	text[Max(size, 0)] = '\0';
	if (size == MARK_SIZE && parse(out, text))
		return true;
	ereport(LOG,
			errmsg("ignoring \"%s\", which cannot be read", path),
			errdetail("Whether this database was restored to an older point is not known."));
	return false;
}

static bool
parse(TlMark *out, const char *text)
{
	char		check[2 * CHECK_SIZE + 1];
	char		hash[2 * TL_HASH_SIZE + 1];
	unsigned	format;
	unsigned	incarnation;
	unsigned long long height;
	unsigned long long view;

	check_of(check, text);
	if (memcmp(text + BODY_SIZE, check, 2 * CHECK_SIZE) != 0 ||
		sscanf(text, "%1u %5u %20llu %20llu %64[0-9a-f]", &format, &incarnation,
			   &height, &view, hash) != 5 ||
		(format != FORMAT_ALONE && format != FORMAT_ORDERED) || incarnation > PG_UINT16_MAX ||
		strlen(hash) != 2 * TL_HASH_SIZE)
		return false;
	out->incarnation = (uint16_t) incarnation;
	out->ordered = format == FORMAT_ORDERED;
	out->height = height;
	out->view = view;
	(void) hex_decode(hash, 2 * TL_HASH_SIZE, (char *) out->hash.bytes);
	return true;
}

static void
check_of(char out[2 * CHECK_SIZE + 1], const char *body)
{
	TlHash		hash;

	tl_crypto_sha256(&hash, body, BODY_SIZE);
	hex_encode((const char *) hash.bytes, CHECK_SIZE, out);
	out[2 * CHECK_SIZE] = '\0';
}

/* Does a worker, of whatever database or server, sign with this key now? */
bool
tl_node_mark_in_use(const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	char	   *path = tl_node_key_path(public_key, MARK_SUFFIX);
	int			file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	bool		in_use;

	if (file < 0)
		return false;
	in_use = flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	CloseTransientFile(file);
	return in_use;
}

/* The worker begins: from now on nobody else signs with this key. */
void
tl_node_mark_open(const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	struct stat status;

	strlcpy(mark_path, tl_node_key_path(public_key, MARK_SUFFIX), sizeof(mark_path));
	if (mark_file < 0)
		mark_file = BasicOpenFilePerm(mark_path, O_RDWR | O_CREAT | PG_BINARY,
									  S_IRUSR | S_IWUSR);
	if (mark_file < 0 || fstat(mark_file, &status) != 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
				errmsg("could not open \"%s\": %m", mark_path),
				errhint("It must be readable and writable for the server, like the signing key beside it."));
	if (flock(mark_file, LOCK_EX | LOCK_NB) != 0)
		refuse_in_use(mark_path);
	mark_is_new = (status.st_size != MARK_SIZE);
}

static void
refuse_in_use(const char *path)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
			errmsg("could not lock \"%s\": %m", path),
			errdetail("Another database signs with the same key."),
			errhint("Stop one of the two servers, or drop one of the two databases."));
}

/* A block is stored and flushed: remember it. */
void
tl_node_mark_write(const TlMark *mark)
{
	static bool complained = false;
	char		text[MARK_SIZE + 1];
	char		hash[2 * TL_HASH_SIZE + 1] = "";
	char		check[2 * CHECK_SIZE + 1];

	hex_encode((const char *) mark->hash.bytes, TL_HASH_SIZE, hash);
	snprintf(text, sizeof(text), "%1u %05u %020llu %020llu %s ",
			 mark->ordered ? FORMAT_ORDERED : FORMAT_ALONE, mark->incarnation, (unsigned long long) mark->height,
			 (unsigned long long) mark->view, hash);
	check_of(check, text);
	memcpy(text + BODY_SIZE, check, 2 * CHECK_SIZE);
	text[MARK_SIZE - 1] = '\n';
	if (pwrite(mark_file, text, MARK_SIZE, 0) != MARK_SIZE ||
		(mark_is_new && pg_fsync(mark_file) != 0))
	{
		if (!complained)
			ereport(WARNING,
					errcode_for_file_access(),
					errmsg("could not write \"%s\": %m", mark_path),
					errdetail("A restore to an older point would not be noticed."));
		complained = true;
		return;
	}
	mark_is_new = false;
}
