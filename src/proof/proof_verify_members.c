/*-------------------------------------------------------------------------
 *
 * proof_verify_members.c
 *	  Who the members are, epoch by epoch.
 *
 * Genesis names the first set.  Each row of ledger_internal.epoch changes it: its
 * certificate, signed by a quorum of the set before, makes the founding block
 * final and names the hash of the next set, and its motion, applied to the set
 * before, must give a set of that hash.  What that hash does not bind, as the
 * quorum of three, is bound by the approvals that the founding block orders: the
 * motion must be in one of them.  So nothing but genesis is believed.  A row that
 * does not hold is one problem, and the sets behind it are not known.
 *
 * Invariants
 *	  V14 each epoch's certificate is signed by the members of the one before, its
 *		  motion makes the set that the certificate names, and is in an approval
 *		  that the founding block orders
 *
 * The caller has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "chain_restart.h"
#include "chain_statement.h"
#include "consensus_epoch.h"
#include "consensus_govern.h"
#include "proof_source.h"
#include "proof_verify.h"
#include "tl_error.h"

static TlStatement select_epochs = {
	"SELECT epoch, height, motion, certificate FROM ledger_internal.epoch ORDER BY epoch"
};

/* A row of ledger_internal.epoch. */
typedef struct StoredEpoch
{
	int64_t		epoch;
	int64_t		height;
	TlSpan		motion;
	TlSpan		certificate;
} StoredEpoch;

static void keep(TlEpoch *epoch, const TlConsensusConfig *config);
static StoredEpoch *load_stored(uint64 *count);
static const char *follow(TlVerification *run, TlConsensusConfig *config,
						  TlProofMembers *proved, const StoredEpoch *stored);
static const char *check_motion(const TlVerification *run, TlProofMembers *proved,
								const StoredEpoch *stored);
static bool is_approved(TlSpan change, TlSpan motion);
static int64_t number(uint64 row, int column);
static TlSpan copy(uint64 row, int column);
static bool is_signed(const TlVerification *run, const TlEpoch *epoch,
					  const TlCertificate *certificate);

/* All sets that are proved; genesis is there. */
void
tl_proof_verify_load_members(TlVerification *run, const TlBlockHeader *genesis)
{
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));
	TlProofMembers *proved = palloc(sizeof(TlProofMembers));
	uint64		count;
	StoredEpoch *stored = load_stored(&count);

	tl_error_check(tl_chain_restart_config(config, &run->genesis, genesis),
				   "members in genesis");
	tl_proof_epoch_begin(proved, &run->genesis);
	run->epochs = palloc0(sizeof(TlEpoch) * (count + 1));
	keep(&run->epochs[0], config);
	run->epoch_count = 1;
	for (uint64 i = 0; i < count; i++)
	{
		const char *detail = "An epoch in ledger_internal.epoch is missing or was numbered anew.";

		if (stored[i].epoch == (int64_t) i + 1)
			detail = follow(run, config, proved, &stored[i]);
		if (detail != NULL)
		{
			tl_proof_verify_report(run, &(TlProblem) {
				.kind = "bad_certificate",
				.has_height = true,
				.height = stored[i].height,
				.detail = detail
			});
			return;
		}
		run->epochs[run->epoch_count].height = stored[i].height;
		keep(&run->epochs[run->epoch_count++], config);
	}
}

static void
keep(TlEpoch *epoch, const TlConsensusConfig *config)
{
	epoch->epoch = config->epoch;
	epoch->members_hash = config->members_hash;
	epoch->quorum_of_three = config->quorum_of_three;
	epoch->member_count = config->member_count;
	memcpy(epoch->members, config->members,
		   sizeof(TlConsensusMember) * config->member_count);
}

static StoredEpoch *
load_stored(uint64 *count)
{
	StoredEpoch *stored;

	*count = tl_chain_execute(&select_epochs, NULL, NULL, true);
	stored = palloc((*count + 1) * sizeof(StoredEpoch));
	for (uint64 i = 0; i < *count; i++)
	{
		stored[i].epoch = number(i, 0);
		stored[i].height = number(i, 1);
		stored[i].motion = copy(i, 2);
		stored[i].certificate = copy(i, 3);
	}
	return stored;
}

/* V14; NULL, or what is wrong. */
static const char *
follow(TlVerification *run, TlConsensusConfig *config, TlProofMembers *proved,
	   const StoredEpoch *stored)
{
	TlEpoch    *next = &run->epochs[run->epoch_count];
	TlConsensusBlock *founding = palloc0(sizeof(TlConsensusBlock));
	TlStanding *standing = palloc0(sizeof(TlStanding));
	TlEpochCertificate epoch;
	TlCertificate certificate;
	TlHash		members_hash;

	if (tl_consensus_epoch_decode(&epoch, stored->certificate.data,
								  stored->certificate.size) != TL_OK ||
		tl_consensus_epoch_read(&epoch, &founding->hash, &members_hash,
								&certificate) != TL_OK ||
		tl_chain_block_decode(&founding->header, epoch.founding.data,
							  epoch.founding.size) != TL_OK)
		return "The certificate in ledger_internal.epoch is not one of a change of the members.";
	if (certificate.epoch != config->epoch ||
		!is_signed(run, &run->epochs[run->epoch_count - 1], &certificate))
		return "The certificate in ledger_internal.epoch is not signed by a quorum of the members before.";
	if (tl_consensus_epoch_next(config, founding, standing, stored->motion) != TL_OK ||
		memcmp(&config->members_hash, &members_hash, TL_HASH_SIZE) != 0)
		return "The motion in ledger_internal.epoch does not make the members that were decided.";
	if ((int64_t) founding->header.height != stored->height)
		return "Column height of ledger_internal.epoch is not that of the founding block.";
	next->founding = founding->hash;
	next->founding_view = founding->header.view;
	next->certified = certificate.block;
	return check_motion(run, proved, stored);
}

/* What the members' hash does not bind is as it was approved. */
static const char *
check_motion(const TlVerification *run, TlProofMembers *proved,
			 const StoredEpoch *stored)
{
	StringInfoData change;
	TlSpan		bytes;

	initStringInfo(&change);
	if (!tl_proof_source_change(&change, stored->certificate))
		return "An approval of a change of the members is in no log here.";
	bytes.data = (const uint8_t *) change.data;
	bytes.size = (size_t) change.len;
	if (tl_proof_epoch_follow(proved, &run->chain_id, bytes) != NULL)
		return "The approvals of a change of the members do not make the members that were decided.";
	if (!is_approved(bytes, stored->motion))
		return "The motion in ledger_internal.epoch is not one that was approved.";
	return NULL;
}

/* Behind the certificate stand GOVERN rows, each after its size. */
static bool
is_approved(TlSpan change, TlSpan motion)
{
	TlReader	reader;

	tl_reader_init(&reader, change.data, change.size);
	(void) tl_get_span(&reader, tl_get_u32(&reader));
	while (!reader.truncated && reader.offset < reader.size)
	{
		TlSpan		bytes = tl_get_span(&reader, tl_get_u32(&reader));
		TlLogRow	row;
		TlGovern	govern;

		if (tl_consensus_row_decode(&row, bytes.data, bytes.size) == TL_OK &&
			tl_consensus_govern_decode(&govern, row.payload.data,
									   row.payload.size) == TL_OK &&
			govern.motion.size == motion.size &&
			memcmp(govern.motion.data, motion.data, motion.size) == 0)
			return true;
	}
	return false;
}

/* A superuser can take NOT NULL away: a null is a value that does not fit. */
static int64_t
number(uint64 row, int column)
{
	bool		is_null;
	Datum		value = tl_chain_result(row, column, &is_null);

	return is_null ? -1 : DatumGetInt64(value);
}

static TlSpan
copy(uint64 row, int column)
{
	bool		is_null;
	Datum		value = tl_chain_result(row, column, &is_null);

	if (is_null)
		return (TlSpan) {NULL, 0};
	return tl_chain_span(PointerGetDatum(DatumGetByteaPCopy(value)));
}

/* The set of that epoch, or NULL. */
const TlEpoch *
tl_proof_verify_epoch(const TlVerification *run, uint64_t epoch)
{
	return epoch < (uint64_t) run->epoch_count ? &run->epochs[epoch] : NULL;
}

/* Is it signed by a quorum of its epoch's members? */
bool
tl_proof_verify_is_signed(const TlVerification *run, const TlCertificate *certificate)
{
	const TlEpoch *epoch = tl_proof_verify_epoch(run, certificate->epoch);

	return epoch != NULL && is_signed(run, epoch, certificate);
}

static bool
is_signed(const TlVerification *run, const TlEpoch *epoch,
		  const TlCertificate *certificate)
{
	TlValidator validators[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;

	for (unsigned i = 0; i < epoch->member_count; i++)
	{
		if (!epoch->members[i].validator)
			continue;
		validators[count].member = epoch->members[i].number;
		memcpy(validators[count++].row_key, epoch->members[i].row_key,
			   TL_XONLY_KEY_SIZE);
	}
	return tl_consensus_certificate_verify(certificate, &run->chain_id, validators,
										   count, epoch->quorum_of_three);
}

/*
 * The key that signs a member's rows of that epoch; of the nearest one in which
 * he is a member, if he is not in it.  NULL if he never was one.
 */
const uint8_t *
tl_proof_verify_row_key(const TlVerification *run, uint32_t member, uint64_t epoch)
{
	const uint8_t *key = NULL;

	for (int i = 0; i < run->epoch_count; i++)
		for (unsigned j = 0; j < run->epochs[i].member_count; j++)
			if (run->epochs[i].members[j].number == member &&
				(key == NULL || run->epochs[i].epoch <= epoch))
				key = run->epochs[i].members[j].row_key;
	return key;
}
