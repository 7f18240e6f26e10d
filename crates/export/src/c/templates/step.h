/* Lowest and highest value of each command. */
extern const float @stem@_action_range[@CONSTANT@_N_ACTIONS][2];

/*
 * The action for an observation: obs has N_OBS values, action room for N_ACTIONS; they do not overlap.
 * OMIGA_STEP_OK, or OMIGA_STEP_NULL, _OBS_NOT_FINITE, _OBS_TOO_LARGE or _ACTION_NOT_FINITE: then action is left as it
 * was, and what the machine does is for the caller to decide. Ranges of fields are not checked here.
 */
int @stem@_step(const float *OMIGA_RESTRICT obs, float *OMIGA_RESTRICT action);
