// score MODEL.gguf CONTROL.gguf < rows
//
// Prints the log-probability of answers under llama.cpp with a control vector,
// which its own loader reads. A row is three texts, each ended by a 0 byte:
// the vector's strength, the prompt as the model reads it, the answer. The
// token that ends a reply counts as part of the answer.
#include "common.h"
#include "llama.h"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

static int fail(const std::string & why) {
    fprintf(stderr, "score: %s\n", why.c_str());
    return 1;
}

int main(int argc, char ** argv) {
    if (argc != 3) {
        return fail("usage: score MODEL.gguf CONTROL.gguf < rows");
    }
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level >= GGML_LOG_LEVEL_ERROR) {
            fputs(text, stderr);
        }
    }, nullptr);
    llama_backend_init();
    auto options = llama_model_default_params();
    options.progress_callback = [](float, void *) { return true; };
    llama_model * model = llama_model_load_from_file(argv[1], options);
    if (!model) {
        return fail("the model cannot be loaded");
    }
    const llama_vocab * vocab = llama_model_get_vocab(model);
    const int n_vocab = llama_vocab_n_tokens(vocab);

    auto params = llama_context_default_params();
    params.type_k = params.type_v = GGML_TYPE_F32; // as here; the default keeps halves
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.n_ctx = params.n_batch = params.n_ubatch = 512;
    llama_context * ctx = llama_init_from_model(model, params);
    if (!ctx) {
        return fail("no context");
    }

    const std::string all{std::istreambuf_iterator<char>(std::cin), {}};
    size_t at = 0;
    auto text = [&] {
        const size_t end = all.find('\0', at);
        std::string s = all.substr(at, end - at);
        at = end + 1;
        return s;
    };
    while (at < all.size()) {
        const float strength = std::stof(text());
        const auto control = common_control_vector_load({{strength, argv[2]}});
        if (control.n_embd != llama_model_n_embd(model)) {
            return fail("the control vector cannot be loaded, or is of another size");
        }
        if (llama_set_adapter_cvec(ctx, control.data.data(), control.data.size(), control.n_embd, 1, llama_model_n_layer(model)) != 0) {
            return fail("the control vector cannot be applied");
        }
        auto tokens = common_tokenize(vocab, text(), false, true);
        const size_t answer = tokens.size();
        for (llama_token t : common_tokenize(vocab, text(), false, true)) {
            tokens.push_back(t);
        }
        tokens.push_back(llama_vocab_eot(vocab));

        llama_memory_clear(llama_get_memory(ctx), true);
        llama_batch batch = llama_batch_init(tokens.size(), 0, 1);
        for (size_t i = 0; i < tokens.size(); i++) {
            batch.token[i] = tokens[i];
            batch.pos[i] = i;
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = 0;
            batch.logits[i] = true;
        }
        batch.n_tokens = tokens.size();
        if (llama_decode(ctx, batch) != 0) {
            return fail("the rows cannot be decoded");
        }
        double sum = 0;
        for (size_t i = answer; i < tokens.size(); i++) {
            const float * logits = llama_get_logits_ith(ctx, i - 1);
            double top = logits[0], total = 0;
            for (int v = 1; v < n_vocab; v++) {
                top = std::max(top, double(logits[v]));
            }
            for (int v = 0; v < n_vocab; v++) {
                total += std::exp(logits[v] - top);
            }
            sum += logits[tokens[i]] - top - std::log(total);
        }
        llama_batch_free(batch);
        printf("%zu %.9g\n", tokens.size() - answer, sum);
    }
    llama_free(ctx);
    llama_model_free(model);
}
