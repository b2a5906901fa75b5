/*-------------------------------------------------------------------------
 *
 * forgotten.h
 *	  The rule that the core shall forget: n of Rn, 100 + n of Pn, 0: none.
 *
 * Put before every file of a build in which this can be chosen at run time
 * (TL_MUTANT, consensus_state.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORGOTTEN_H
#define FORGOTTEN_H

extern int	dialogue_forgotten;

#endif							/* FORGOTTEN_H */
