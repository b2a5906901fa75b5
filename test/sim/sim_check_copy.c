/*-------------------------------------------------------------------------
 *
 * sim_check_copy.c
 *	  Whoever knows that two copies of a member live counts no vote of it (V17).
 *
 * A certificate that an honest node shows has a vote of that member only if
 * somebody else showed it the same certificate, in which it stands (C3), or if
 * the node had read all of its votes before it knew, and so had counted them: in
 * tallies after that the member counts no more (R45).  The view of the core says
 * nothing about it: of a burst of rows all are counted before a view is left.  A
 * copy that was started again ends the doubt, and a core that is made anew has to
 * see both once more.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE				/* memmem */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static void check_certificate(SimWorld *world, const SimNode *node,
							  TlSpan bytes);
static bool was_counted(const SimWorld *world, const SimNode *node,
						const TlCertificate *certificate, const unsigned *read);
static bool was_read(const SimLog *log, unsigned read, uint8_t kind,
					 const TlVote *vote);
static bool was_dropped(const SimWorld *world, const SimNode *node, uint8_t kind,
						const TlVote *vote);
static bool is_vote(const TlLogRow *row, uint8_t kind, const TlVote *vote);
static bool was_shown(const SimNode *node, TlSpan bytes);
static bool log_shows(const SimLog *log, TlSpan bytes);
static bool was_started_again(const SimWorld *world, uint32_t number);

/* TL_ALARM_INSTANCES: what had it read of all logs? */
void
sim_check_copy_alarm(SimWorld *world, SimNode *node, uint32_t member)
{
	unsigned  **read = &node->doubled[member - 1];

	node->doubled_epoch = node->epoch;
	*read = realloc(*read, sizeof(node->read));
	memcpy(*read, node->read, sizeof(node->read));
}

/* Its core is made anew, or the run is over. */
void
sim_check_copy_forget(SimNode *node)
{
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
	{
		free(node->doubled[i]);
		node->doubled[i] = NULL;
	}
}

/* Rows that were read are gone from the beginning of that log. */
void
sim_check_copy_moved(SimNode *node, unsigned log, unsigned gone)
{
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
	{
		if (node->doubled[i] != NULL)
			node->doubled[i][log] -= (node->doubled[i][log] < gone) ? node->doubled[i][log] : gone;
	}
}

/* V17, of a row of an honest node. */
void
sim_check_copy_row(SimWorld *world, const SimNode *node, const TlLogRow *row)
{
	TlProposal	proposal;
	TlReader	reader;

	if (world->plan.twins == 0 || row->epoch != node->doubled_epoch)
		return;
	if (row->kind == TL_LOG_CERT)
		check_certificate(world, node, row->payload);
	if (row->kind != TL_LOG_PROPOSE ||
		tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK)
		return;
	check_certificate(world, node, proposal.parent_certificate);
	tl_reader_init(&reader, proposal.gaps.data, proposal.gaps.size);
	for (unsigned i = 0; i < proposal.gap_count; i++)
		check_certificate(world, node,
						  tl_get_span(&reader, tl_get_u32(&reader)));
}

/* A finalization may be that of blocks which were copied whole. */
static void
check_certificate(SimWorld *world, const SimNode *node, TlSpan bytes)
{
	TlCertificate certificate;
	TlVote		vote;

	if (tl_consensus_certificate_decode(&certificate, bytes.data,
										bytes.size) != TL_OK ||
		certificate.kind == TL_LOG_FINALIZE)
		return;
	for (unsigned i = 0; i < certificate.vote_count; i++)
	{
		const unsigned *read;

		(void) tl_consensus_certificate_get_vote(&vote, &certificate, i);
		read = node->doubled[vote.member - 1];
		if (read == NULL || was_started_again(world, vote.member) ||
			was_counted(world, node, &certificate, read) || was_shown(node, bytes))
			continue;
		sim_fail(world, "V17: node %u counts a vote of member %u, of whom two live, in view %llu",
				 node->id, vote.member, (unsigned long long) certificate.view);
	}
}

/*
 * Had it read each of those votes by then, so that they made a quorum?  Of what is
 * dropped nobody knows any more when it was read.
 */
static bool
was_counted(const SimWorld *world, const SimNode *node,
			const TlCertificate *certificate, const unsigned *read)
{
	for (unsigned i = 0; i < certificate->vote_count; i++)
	{
		TlVote		vote;

		(void) tl_consensus_certificate_get_vote(&vote, certificate, i);
		if (!was_read(&node->logs[vote.member - 1], read[vote.member - 1],
					  certificate->kind, &vote) &&
			!was_dropped(world, node, certificate->kind, &vote))
			return false;
	}
	return true;
}

static bool
was_read(const SimLog *log, unsigned read, uint8_t kind, const TlVote *vote)
{
	for (unsigned i = read; i-- > 0;)
	{
		if (is_vote(&log->rows[i]->row, kind, vote))
			return true;
	}
	return false;
}

static bool
was_dropped(const SimWorld *world, const SimNode *node, uint8_t kind, const TlVote *vote)
{
	for (const SimRow *row = world->rows; row != NULL; row = row->next)
	{
		if ((row->droppers >> node->id & 1) != 0 && is_vote(&row->row, kind, vote))
			return true;
	}
	return false;
}

static bool
is_vote(const TlLogRow *row, uint8_t kind, const TlVote *vote)
{
	return row->kind == kind && row->sequence == vote->sequence &&
		memcmp(row->nonce, vote->nonce, TL_NONCE_SIZE) == 0 &&
		memcmp(row->signature, vote->signature, TL_SIGNATURE_SIZE) == 0;
}

/* Has somebody else shown it that certificate? */
static bool
was_shown(const SimNode *node, TlSpan bytes)
{
	for (unsigned i = 0; i < SIM_NODES_MAX; i++)
	{
		if (i + 1 != node->number && log_shows(&node->logs[i], bytes))
			return true;
	}
	return log_shows(&node->loose, bytes);
}

static bool
log_shows(const SimLog *log, TlSpan bytes)
{
	for (unsigned i = log->count; i-- > 0;)
	{
		const TlSpan *payload = &log->rows[i]->row.payload;

		if (payload->size >= bytes.size &&
			memmem(payload->data, payload->size, bytes.data, bytes.size) != NULL)
			return true;
	}
	return false;
}

static bool
was_started_again(const SimWorld *world, uint32_t number)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (world->nodes[i].number == number && world->nodes[i].life > 1)
			return true;
	}
	return false;
}
