/*-------------------------------------------------------------------------
 *
 * node_key.c
 *	  The row key of this member: a file, never SQL.
 *
 * A member that has another key since some epoch (node_order_epoch.c) has its file
 * beside that of the old one, written before anybody is told of the new key.
 *
 * File: <key directory>/<x-only public key in hex>.key, mode 0600, content the
 * 32 secret bytes in hex and a newline.  It lies outside the data directory,
 * so that a base backup does not carry it away, and is written and flushed
 * before any transaction names its public key.  A key whose transaction rolls
 * back stays as an unused file; nothing ever overwrites or removes one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "port.h"
#include "storage/fd.h"

#include "crypto_curve.h"
#include "node_key.h"
#include "node_settings.h"
#include "tl_error.h"

#define KEY_SUFFIX		".key"
#define KEY_FILE_SIZE	(2 * TL_SECRET_SIZE + 1)

static char *key_directory(void);
static void check_directory(const char *directory);
static void write_key(const char *path, const uint8_t secret_key[TL_SECRET_SIZE]);
static void hex_encode_lower(char *out, const uint8_t *data, size_t size);
static bool hex_decode_exact(uint8_t *out, const char *text, size_t size);

/* Make a new key and its file. */
void
tl_node_key_create(uint8_t public_key[TL_XONLY_KEY_SIZE],
				   uint8_t secret_key[TL_SECRET_SIZE])
{
	char	   *directory = key_directory();

	if (MakePGDirectory(directory) != 0 && errno != EEXIST)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not create key directory \"%s\": %m", directory),
				errhint("Create it for the server's operating system user, or set telco_ledger.key_directory."));
	check_directory(directory);
	do
	{
		if (!pg_strong_random(secret_key, TL_SECRET_SIZE))
			ereport(ERROR,
					errcode(ERRCODE_INTERNAL_ERROR),
					errmsg("could not generate random bytes for a key"));
	} while (tl_crypto_xonly_key(public_key, secret_key) != TL_OK);
	write_key(tl_node_key_path(public_key, KEY_SUFFIX), secret_key);
	fsync_fname(directory, true);
}

/* Read the secret key that belongs to a public key. */
void
tl_node_key_load(uint8_t secret_key[TL_SECRET_SIZE],
				 const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	char	   *fault = tl_node_key_try(secret_key, public_key);

	if (fault != NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
				errmsg("%s", fault),
				errdetail("Rows are committed locally and wait; they become final when the key is back. Its file has mode 0600 and holds the 64 hexadecimal digits of the secret key and a newline."),
				errhint("Put the file back, or correct telco_ledger.key_directory."));
}

/* The same; what is wrong with the file, as a message, or NULL. */
char *
tl_node_key_try(uint8_t secret_key[TL_SECRET_SIZE],
				const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	char	   *path = tl_node_key_path(public_key, KEY_SUFFIX);
	char		text[KEY_FILE_SIZE + 1];
	uint8_t		found[TL_XONLY_KEY_SIZE];
	char	   *fault = NULL;
	struct stat status;
	int			file;

	file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (file < 0)
		return psprintf("could not open signing key \"%s\": %s", path, strerror(errno));
	if (fstat(file, &status) != 0)
		fault = psprintf("could not look at signing key \"%s\": %s", path, strerror(errno));
	else if (status.st_mode & (S_IRWXG | S_IRWXO))
		fault = psprintf("signing key \"%s\" is accessible to others", path);
	else if (read(file, text, sizeof(text)) != KEY_FILE_SIZE ||
			 !hex_decode_exact(secret_key, text, TL_SECRET_SIZE) ||
			 tl_crypto_xonly_key(found, secret_key) != TL_OK ||
			 memcmp(found, public_key, TL_XONLY_KEY_SIZE) != 0)
		fault = psprintf("signing key \"%s\" does not belong to this node", path);
	CloseTransientFile(file);
	explicit_bzero(text, sizeof(text));
	return fault;
}

/*
 * Give the member a recovery key, the public half of one that is kept elsewhere; an
 * error if it cannot be one.  Approvals are signed with the row key, which it has;
 * nothing is sealed yet.
 */
void
tl_node_key_put_recovery(TlMember *member, const bytea *recovery_key)
{
	const uint8_t *key = (const uint8_t *) VARDATA_ANY(recovery_key);

	if (VARSIZE_ANY_EXHDR(recovery_key) != TL_XONLY_KEY_SIZE ||
		tl_crypto_xonly_key_check(key) != TL_OK)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("this is no recovery key"),
				errdetail("It is the public half of a key, 32 bytes as BIP-340 has them."),
				errhint("SELECT substring(ledger.public_key(secret) FROM 2) makes it of a secret key, on a machine that is kept offline."));
	if (memcmp(key, member->row_key, TL_XONLY_KEY_SIZE) == 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a member's recovery key is another one than its row key"),
				errdetail("It is for the day on which the row key is lost or stolen."),
				errhint("Make a key for it, and keep it offline."));
	member->has_keys = true;
	memcpy(member->governance_key, member->row_key, TL_XONLY_KEY_SIZE);
	memcpy(member->recovery_key, key, TL_XONLY_KEY_SIZE);
}

/* Is there a file that has it? */
bool
tl_node_key_is_usable(const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	uint8_t		secret_key[TL_SECRET_SIZE];
	char	   *fault = tl_node_key_try(secret_key, public_key);

	explicit_bzero(secret_key, sizeof(secret_key));
	if (fault == NULL)
		return true;
	pfree(fault);				/* whoever waits for it asks often */
	return false;
}

static char *
key_directory(void)
{
	struct passwd *user;

	if (tl_setting_key_directory != NULL && tl_setting_key_directory[0] != '\0')
		return pstrdup(tl_setting_key_directory);
	user = getpwuid(geteuid());
	if (user == NULL || user->pw_dir == NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
				errmsg("the server's operating system user has no home directory"),
				errhint("Set telco_ledger.key_directory."));
	return psprintf("%s/.telco_ledger", user->pw_dir);
}

/* A file of the key directory that belongs to this key. */
char *
tl_node_key_path(const uint8_t public_key[TL_XONLY_KEY_SIZE], const char *suffix)
{
	char		name[2 * TL_XONLY_KEY_SIZE + 1];

	hex_encode_lower(name, public_key, TL_XONLY_KEY_SIZE);
	return psprintf("%s/%s%s", key_directory(), name, suffix);
}

/* A key in the data directory would travel with every base backup. */
static void
check_directory(const char *directory)
{
	char	   *wanted = realpath(directory, NULL);
	char	   *data = realpath(DataDir, NULL);
	bool		inside;

	if (wanted == NULL || data == NULL)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not resolve key directory \"%s\": %m", directory));
	inside = path_is_prefix_of_path(data, wanted);
	free(wanted);
	free(data);
	if (inside)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
				errmsg("key directory \"%s\" lies in the data directory", directory),
				errdetail("Every base backup would carry the signing key away."),
				errhint("Set telco_ledger.key_directory to a directory outside."));
}

static void
write_key(const char *path, const uint8_t secret_key[TL_SECRET_SIZE])
{
	char		text[KEY_FILE_SIZE + 1];
	int			file;

	hex_encode_lower(text, secret_key, TL_SECRET_SIZE);
	text[KEY_FILE_SIZE - 1] = '\n';
	file = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY,
								 S_IRUSR | S_IWUSR);
	if (file < 0 ||
		write(file, text, KEY_FILE_SIZE) != KEY_FILE_SIZE ||
		pg_fsync(file) != 0)
		ereport(ERROR,
				errcode_for_file_access(),
				errmsg("could not write signing key \"%s\": %m", path));
	CloseTransientFile(file);
	explicit_bzero(text, sizeof(text));
}

static void
hex_encode_lower(char *out, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		snprintf(out + 2 * i, 3, "%02x", data[i]);
}

static bool
hex_decode_exact(uint8_t *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		unsigned	value;

		if (!isxdigit((unsigned char) text[2 * i]) ||
			!isxdigit((unsigned char) text[2 * i + 1]) ||
			sscanf(text + 2 * i, "%2x", &value) != 1)
			return false;
		out[i] = (uint8_t) value;
	}
	return true;
}

/*
 * A signature says "this is durable here".  With fsync or full_page_writes off
 * it would not be true, so only a test ledger goes on; others get a message.
 */
bool
tl_node_key_may_sign(bool test, int level)
{
	if (test || (enableFsync && fullPageWrites))
		return true;
	ereport(level,
			errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			errmsg("ledger node signs nothing while fsync or full_page_writes is off"),
			errdetail("What it signs must survive a crash of the machine."),
			errhint("Turn both on, or use a ledger with purpose \"test\"."));
	return false;
}
