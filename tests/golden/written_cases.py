"""Which of the written models (tests/random/written) make_written.py keeps, and what must become of each."""

_PLAIN = """
gru_softmax gru_reset_before gru_without_bias toxic_max_pool average_pool batch_normalised
batch_normalised_between attention_permuted attention_softmax_over_time final_state_attention
final_state_additive last_of_sequence last_of_bidirectional two_heads heads_of_a_dictionary
activations_of_heads own_backward_layer lstm_and_gru_directions reads_backwards two_directions_by_hand
gru_cell_in_rnn nested_encoder merge_sum pos_stacked_gru two_taggers residual_tagger features_tagger
forecast_elu forecast_normalised forecast_rescaled average_of_outputs maximum_of_outputs autoencoder
autoencoder_deep encoder_decoder_luong encoder_decoder_luong_normalised date_gru luong_steps joined_heads
pooled_gru simple_rnn simple_rnn_bidirectional toxic_pooled_with_state attention_and_pools cell_state_read
layers_of_lstm_with_skip captcha dense_between activation_on_vectors two_branches skip_by_concatenation
flattened stacked_cells unintended_bias blog_residual_head blog_cells_stacked blog_dilated_causal
blog_text_convolution convolved_bidirectional convolved_flattened convolved_last
convolved_attention convolved_texts_of_any_length last_three_outputs first_and_last_output third_output
last_two_flattened post_forecast_fed_back autoregressive_from_last convolution_causal convolution_same ventilator_skipping insincere last_input_added parametric_relu relu_six arithmetic a_feature_chosen halves_joined_again differences one_dense_twice
probabilities_zeros probabilities_from_last_row probabilities_from_a_dense probabilities_luong_zeros
"""
_TOKENS = """
keras_example keras_example_gru words words_stacked attention_layer attention_layer_scaled
additive_attention_layer luong_by_hand luong_general values_projected thought_vector states_through_dense
post_cells_translation
"""

SAME = {name: ("same", None) for name in _PLAIN.split()}
SAME.update({name: ("same+note tokens", None) for name in _TOKENS.split()})
for _name in ("masked_bilstm", "masked_average_pool", "masked_gru_stack", "ner_masked", "diacritics"):
    SAME[_name] = ("same+note lengths", None)
for _name in ("words_masked", "attention_layer_masked"):
    SAME[_name] = ("same+note lengths tokens", None)
SAME["forecast_reshaped"] = ("same+note reshape order", None)
SAME["series_of_numbers"] = ("same+note give it as", (6, 1))
SAME["caption"] = ("same+note give it as tokens", (1, 4))
SAME["picture_with_channel"] = ("same+note give it as", (9, 8))
SAME["frames_of_a_video"] = ("same+note lengths", None)
for _name in ("toxic_convolution", "convolved_pools_of_both_directions"):
    SAME[_name] = ("same+note mean sequences", None)
SAME["jazz"] = ("same+note zeros", None)
SAME["reshaped_input"] = ("same+note give it as", (6, 3))

for _name in ("convolution_first", "sensor_pooled_twice", "sensor_strided_forecast"):
    SAME[_name] = ("same+note positions at a time", None)
_COLUMNS = """
siamese two_embeddings static_features babi note_text_and_numbers note_entities_and_features
sensor_series_and_store
"""
for _name in _COLUMNS.split():
    SAME[_name] = ("same+note columns of one input", None)
for _name in ("note_masked_text_and_numbers", "note_masked_entities_and_case"):
    SAME[_name] = ("same+note columns of one input lengths", None)
SAME["stateful_model"] = ("same+note stateful zeros", None)
for _name in ("sensor_padded_by_hand", "sensor_cropped", "wired_largest_pool", "sensor_linear_beside"):
    SAME[_name] = ("same", None)
for _name in ("final_states", "maximum", "a_second_layer"):
    SAME[f"intent_of_{_name}"] = ("same+note same every position", None)
SAME["intent_masked"] = ("same+note same every position lengths", None)
SAME["layer_normalised"] = ("same", None)
SAME["normed_masked"] = ("same+note lengths", None)
SAME["normed_translation"] = ("same+note tokens", None)
for _name in ("pooled", "residual_before", "residual_behind", "head_beside", "valid_convolution", "both_beside"):
    SAME[f"normed_{_name}"] = ("same", None)
SAME["question_difference_of_neighbours"] = ("same", None)

REFUSED = {
    "masked_max_pool": "refuse GlobalMaxPooling1D masked positions",
    "intent_of_attention": "refuse context position",
    "normed_decoder_layers": "refuse LayerNormalization decoder",
    "normed_along_positions": "refuse LayerNormalization axis",
    "sensor_averaged_between": "refuse AveragePooling1D bidirectional in front",
    "sensor_strided": "refuse fewer positions",
    "note_answer_in_question": "refuse",
    "note_masked_pair": "refuse lstm",
    "note_masked_zeros": "refuse GetItem masked",
    "convolved_tagger": "refuse fewer positions",
    "convolved_sigmoid": "refuse lstm fewer positions",
    "convolved_attention_tanh": "refuse Conv1D fewer positions",
    "attention_lambda": "refuse Lambda Python",
    "hierarchical": "refuse TimeDistributed",
    "split_in_halves": "refuse multiply",
    "backward_tagger": "refuse lstm",
    "decoder_bidirectional": "refuse Bidirectional backwards",
}

# of Keras 2 too
KERAS2 = """
gru_reset_before toxic_max_pool masked_average_pool batch_normalised_between own_backward_layer reads_backwards
last_of_bidirectional features_tagger forecast_normalised autoencoder keras_example words_masked attention_layer
date_gru arithmetic simple_rnn masked_max_pool backward_tagger stacked_cells blog_text_convolution
post_forecast_fed_back blog_residual_head convolution_first static_features two_embeddings
normed_masked normed_both_beside
""".split()

# weights of positions
SAME["feature_attention"] = ("same", None)
for _name in ("behind", "reshaped", "both_directions", "of_a_dense_layer", "by_operations", "in_front"):
    SAME[f"weighted_{_name}"] = ("same", None)
SAME["weighted_words"] = ("same", None)
REFUSED["weighted_single_vector"] = "refuse multiply softmax"
REFUSED["weighted_without_softmax"] = "refuse Dense softmax activation"
REFUSED["weighted_over_features"] = "refuse multiply something else"
REFUSED["weighted_features_along_positions"] = "refuse softmax axis 1"
REFUSED["weighted_another"] = "refuse multiply something else"
REFUSED["weighted_beside"] = "refuse multiply without weights"
KERAS2 += ["weighted_both_directions", "weighted_by_operations"]

for _name in ("beside_each_other", "of_a_forward_layer", "through_a_dense_layer"):
    SAME[f"positions_{_name}"] = ("same", None)
for _name in ("of_one_number", "of_one_unit"):
    SAME[f"positions_{_name}"] = ("same", None)
REFUSED["positions_of_one_number_masked"] = "refuse masked positions"
REFUSED["positions_out_of_order"] = "refuse"
REFUSED["positions_of_one_more"] = "refuse"
SAME["date_positions"] = ("same", None)

# self-attention
for _name in (
    "self_attention_pooled",
    "multi_head",
    "attending_scaled_beside",
    "attending_additive_flattened",
    "attending_added_tagger",
    "attending_keys_of_their_own",
    "attending_before_the_lstm",
    "attending_to_a_layer_below",
    "attending_by_hand_matmul",
    "attending_by_hand_other_axis",
    "attending_by_hand_added",
    "heads_without_bias",
    "heads_block_behind",
    "heads_block_in_front",
    "heads_then_decoder",
    "heads_autoencoder",
    "heads_asked_by_the_last_position",
):
    SAME[_name] = ("same", None)
for _name in ("attending_masked", "attending_masked_additive_lstm", "heads_masked"):
    SAME[_name] = ("same+note lengths", None)

# several heads that a decoder's steps, or a state, ask
for _name in ("over_repeated", "by_the_final_state", "by_a_layer_of_the_state"):
    SAME[f"asked_{_name}"] = ("same", None)
for _name in ("beside_states", "added_and_normalised", "alone", "by_tokens", "with_input_feeding"):
    SAME[f"asked_{_name}"] = ("same+note tokens", None)
SAME["asked_masked"] = ("same+note lengths tokens", None)
REFUSED["asked_masked_twice"] = "refuse not certain"
REFUSED["asked_twice"] = "refuse attends twice"
REFUSED["asked_layers_twice"] = "refuse two layers"
for _name in ("linear_unit", "positions", "two_layers", "attention"):
    SAME[f"gated_{_name}"] = ("same", None)
SAME["gated_masked"] = ("same+note lengths", None)
REFUSED["gated_by_a_vector"] = "refuse multiply"
REFUSED["gated_by_softmax"] = "refuse Dense"
REFUSED["heads_causal"] = "refuse MultiHeadAttention use_causal_mask"
REFUSED["attending_weights_given"] = "refuse Attention output"
REFUSED["heads_weights_given"] = "refuse MultiHeadAttention output"
REFUSED["attending_by_hand_masked"] = "refuse mask"
REFUSED["attending_convolved"] = "refuse Attention fewer positions"
KERAS2 += ["heads_masked", "attending_added_tagger", "heads_block_in_front"]

# decoders
for _name in ("dates_context_once", "forecast_mean_and_spread", "notebook_autoencoder_both_ways", "notebook_mean_repeated"):
    SAME[_name] = ("same", None)
for _name in (
    "translation_dense_behind_embeddings",
    "translation_one_hot_dense",
    "notebook_teacher_steps_listed",
    "notebook_begun_by_mean",
    "pair_attention",
    "pair_one_hot",
    "pair_bidirectional_gru",
):
    SAME[_name] = ("same+note tokens", None)
SAME["translation_unrolled_teacher"] = ("same+note zeros tokens", None)
SAME["dates_cell"] = ("same+note zeros", None)
SAME["forecast_flattened"] = ("same+note give it as", (1, 21))
SAME["notebook_caption_beside_words"] = ("same+note give it as tokens", (1, 12))
for _name in ("probabilities_blog", "notebook_probabilities_fed_back"):
    REFUSED[_name] = "refuse InputLayer probabilities --start-token"
REFUSED["probabilities_not_the_output"] = "refuse Dense probabilities output"
REFUSED["notebook_forecast_from_input"] = "refuse InputLayer first step"
_GIVEN = """
decoder_features forecast_known_future forecast_known_future_repeated future_luong future_beside_output
"""
for _name in _GIVEN.split():
    SAME[_name] = ("same+note given", None)
SAME["future_two_inputs"] = ("same+note columns given", None)
SAME["future_beside_tokens"] = ("same+note given tokens", None)
REFUSED["future_activated"] = "refuse TimeDistributed decoder"
REFUSED["forecast_read_both_ways"] = "refuse Bidirectional backwards RepeatVector"
KERAS2 += ["dates_cell", "translation_dense_behind_embeddings", "pair_bidirectional_gru", "notebook_autoencoder_both_ways"]

# positions that are sequences of their own
SAME["segments_univariate"] = ("same+note give it as", (2, 2))
for _name in ("activity", "same", "causal", "normalised", "layer_normalised", "reshaped"):
    SAME[f"segments_{_name}"] = ("same+note give it as", (4, 18))
REFUSED["segments_recurrent_inner"] = "refuse TimeDistributed LSTM"
REFUSED["segments_channels_first"] = "refuse channels_first"
REFUSED["segments_along_vectors"] = "refuse normalises axis"
KERAS2 += ["segments_activity"]
