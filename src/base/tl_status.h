/*-------------------------------------------------------------------------
 *
 * tl_status.h
 *	  What can go wrong, once for all floors: code, SQLSTATE, text.
 *
 * Pure functions return a TlStatus.  The backend turns it into an ereport with
 * the SQLSTATE beside it (tl_error.c), so that a contract or an application
 * can catch TL003 rather than read the text.  A code is never renumbered.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_STATUS_H
#define TL_STATUS_H

/* code, SQLSTATE, text */
#define TL_STATUS_LIST(X) \
	X(TL_OK,				"00000", "no error") \
	X(TL_BUG,				"TL000", "an internal invariant does not hold") \
	X(TL_APPEND_ONLY,		"TL001", "the ledger is append-only") \
	X(TL_DEFINITION_FIXED,	"TL002", "the definition is fixed by rows on the ledger") \
	X(TL_BAD_REF,			"TL003", "the ledger_ref was not issued to this row") \
	X(TL_NOT_A_NODE,		"TL004", "this database is not a node of a ledger") \
	X(TL_NOT_PRELOADED,		"TL005", "the library was not preloaded") \
	X(TL_UNSUPPORTED_TYPE,	"TL006", "the type has no ledger encoding") \
	X(TL_TOO_LARGE,			"TL007", "a limit of the format is exceeded") \
	X(TL_TRUNCATED,			"TL008", "the bytes end too early") \
	X(TL_TRAILING_BYTES,	"TL009", "bytes follow the end of the message") \
	X(TL_BAD_FORMAT,		"TL010", "the bytes are not of this format") \
	X(TL_BAD_VERSION,		"TL011", "the format version is unknown") \
	X(TL_BAD_ORDER,			"TL012", "entries are not in their canonical order") \
	X(TL_BAD_KEY,			"TL013", "the key is not valid") \
	X(TL_BAD_SIGNATURE,		"TL014", "the signature is not valid") \
	X(TL_BAD_CERTIFICATE,	"TL015", "the certificate is not valid") \
	X(TL_BAD_PROOF,			"TL016", "the proof does not lead to the root") \
	X(TL_NOT_FINAL,			"TL017", "the row is not final yet") \
	X(TL_UNKNOWN_REF,		"TL018", "no such row on this ledger") \
	X(TL_ROLLED_BACK,		"TL019", "this database is a copy or was restored") \
	X(TL_TIMEOUT,			"TL020", "the time ran out") \
	X(TL_CHAIN_DAMAGED,		"TL021", "the stored chain does not fit together") \
	X(TL_KEY_UNAVAILABLE,	"TL022", "the signing key cannot be used") \
	X(TL_REJECTED,			"TL023", "the row was rejected") \
	X(TL_STATE_TABLE,		"TL024", "state tables are changed by contracts only") \
	X(TL_SKIPPED,			"TL025", "the members have passed over the call")

typedef enum TlStatus
{
#define TL_STATUS_ENUM(code, sqlstate, text) code,
	TL_STATUS_LIST(TL_STATUS_ENUM)
#undef TL_STATUS_ENUM
	TL_STATUS_COUNT
} TlStatus;

extern const char *tl_status_text(TlStatus status);
extern const char *tl_status_sqlstate(TlStatus status);

#endif							/* TL_STATUS_H */
