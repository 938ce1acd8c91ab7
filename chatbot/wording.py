"""What the assistant itself says, per language: small talk, not knowing, asking back, and bad news."""

from django.conf import settings

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "greeting": "Hello! I answer questions about orders, deliveries, returns and everything else {site} does. What would you like to know?",
        "thanks": "You're welcome! Is there anything else I can help you with?",
        "goodbye": "Goodbye, and have a good day!",
        "clarify": "I want to be sure that I answer the right question. Which of these do you mean?",
        "decline": "I'm sorry, I don't have an answer to that. If you would like a person to help, say so, or write to {email}.",
        "decline_part": "I'm sorry, I don't have an answer to “{part}”. Our team can help you with that: {email}.",
        "offer_human": "I'm sorry that this is not going well. Just say so if you would like a person to take over.",
        "human": "I have noted that you would like to speak with a person, and our team can see this conversation. You can also reach them at {email}.",
        "provider_unavailable": "I'm sorry, I can't answer just now because of a technical problem. Please try again in a moment, or write to {email}.",
        "provider_interrupted": "I'm sorry, my answer was cut off by a technical problem. Please ask me again.",
        "deadline_exceeded": "I'm sorry, this answer took too long and I had to stop. Please ask me again.",
        "moderated": "I can't help with this message because it may hurt somebody. If I misunderstood, please say it in other words. Our team is at {email}.",
        "self_harm": "It sounds as if you are going through something very hard. I'm only an assistant for a shop, but please talk to somebody you trust or call your local emergency number or a crisis line now. You are not alone.",
    },
    "es": {
        "greeting": "¡Hola! Respondo preguntas sobre pedidos, envíos, devoluciones y todo lo demás de {site}. ¿Qué quieres saber?",
        "thanks": "¡De nada! ¿Puedo ayudarte con algo más?",
        "goodbye": "¡Adiós, que tengas un buen día!",
        "clarify": "Quiero estar seguro de responder a la pregunta correcta. ¿Cuál de estas es la tuya?",
        "decline": "Lo siento, no tengo una respuesta a eso. Si quieres que te ayude una persona, dímelo o escribe a {email}.",
        "decline_part": "Lo siento, no tengo una respuesta a «{part}». Nuestro equipo puede ayudarte con eso: {email}.",
        "offer_human": "Siento que esto no vaya bien. Si quieres que te atienda una persona, solo tienes que decirlo.",
        "human": "He anotado que quieres hablar con una persona, y nuestro equipo puede ver esta conversación. También puedes escribir a {email}.",
        "provider_unavailable": "Lo siento, ahora mismo no puedo responder por un problema técnico. Inténtalo de nuevo en un momento o escribe a {email}.",
        "provider_interrupted": "Lo siento, mi respuesta se cortó por un problema técnico. Pregúntame otra vez, por favor.",
        "deadline_exceeded": "Lo siento, esta respuesta tardaba demasiado y he tenido que parar. Pregúntame otra vez, por favor.",
        "moderated": "No puedo ayudar con este mensaje porque podría hacer daño a alguien. Si te he entendido mal, dilo con otras palabras. Nuestro equipo está en {email}.",
        "self_harm": "Parece que estás pasando por algo muy duro. Solo soy el asistente de una tienda, pero habla con alguien de confianza o llama ahora al número de emergencias o a una línea de ayuda. No estás solo.",
    },
    "de": {
        "greeting": "Hallo! Ich beantworte Fragen zu Bestellungen, Lieferung, Rückgabe und allem anderen bei {site}. Was möchten Sie wissen?",
        "thanks": "Gern geschehen! Kann ich sonst noch etwas für Sie tun?",
        "goodbye": "Auf Wiedersehen und einen schönen Tag!",
        "clarify": "Ich möchte sicher die richtige Frage beantworten. Welche dieser Fragen meinen Sie?",
        "decline": "Darauf habe ich leider keine Antwort. Wenn Ihnen ein Mensch helfen soll, sagen Sie es mir oder schreiben Sie an {email}.",
        "decline_part": "Auf „{part}“ habe ich leider keine Antwort. Unser Team hilft Ihnen dabei: {email}.",
        "offer_human": "Es tut mir leid, dass es gerade nicht gut läuft. Sagen Sie einfach, wenn ein Mensch übernehmen soll.",
        "human": "Ich habe notiert, dass Sie mit einem Menschen sprechen möchten; unser Team kann dieses Gespräch sehen. Sie erreichen es auch unter {email}.",
        "provider_unavailable": "Wegen eines technischen Problems kann ich gerade leider nicht antworten. Bitte versuchen Sie es gleich noch einmal oder schreiben Sie an {email}.",
        "provider_interrupted": "Meine Antwort wurde leider durch ein technisches Problem unterbrochen. Bitte fragen Sie noch einmal.",
        "deadline_exceeded": "Diese Antwort hat leider zu lange gedauert, ich musste abbrechen. Bitte fragen Sie noch einmal.",
        "moderated": "Bei dieser Nachricht kann ich nicht helfen, weil sie jemanden verletzen könnte. Falls ich Sie falsch verstanden habe, sagen Sie es bitte anders. Unser Team: {email}.",
        "self_harm": "Es klingt, als ginge es Ihnen gerade sehr schlecht. Ich bin nur der Assistent eines Geschäfts, aber bitte sprechen Sie mit jemandem, dem Sie vertrauen, oder rufen Sie jetzt den Notruf oder ein Krisentelefon an. Sie sind nicht allein.",
    },
    "fr": {
        "greeting": "Bonjour ! Je réponds aux questions sur les commandes, les livraisons, les retours et tout le reste chez {site}. Que voulez-vous savoir ?",
        "thanks": "Avec plaisir ! Puis-je faire autre chose pour vous ?",
        "goodbye": "Au revoir et bonne journée !",
        "clarify": "Je veux être sûr de répondre à la bonne question. Laquelle est la vôtre ?",
        "decline": "Désolé, je n'ai pas de réponse à cela. Si vous souhaitez l'aide d'une personne, dites-le-moi ou écrivez à {email}.",
        "decline_part": "Désolé, je n'ai pas de réponse à « {part} ». Notre équipe peut vous aider : {email}.",
        "offer_human": "Je suis désolé que cela se passe mal. Dites-le-moi si vous souhaitez qu'une personne prenne le relais.",
        "human": "J'ai noté que vous souhaitez parler à une personne ; notre équipe peut voir cette conversation. Vous pouvez aussi écrire à {email}.",
        "provider_unavailable": "Désolé, un problème technique m'empêche de répondre pour le moment. Réessayez dans un instant ou écrivez à {email}.",
        "provider_interrupted": "Désolé, ma réponse a été interrompue par un problème technique. Posez-moi la question à nouveau.",
        "deadline_exceeded": "Désolé, cette réponse prenait trop de temps et j'ai dû m'arrêter. Posez-moi la question à nouveau.",
        "moderated": "Je ne peux pas vous aider avec ce message, car il pourrait blesser quelqu'un. Si je vous ai mal compris, dites-le autrement. Notre équipe : {email}.",
        "self_harm": "Vous semblez traverser un moment très difficile. Je ne suis que l'assistant d'une boutique, mais parlez à une personne de confiance ou appelez maintenant les urgences ou une ligne d'écoute. Vous n'êtes pas seul.",
    },
}
_SAME = {
    "provider_empty": "provider_unavailable",
    "provider_rejected": "provider_unavailable",
    "internal": "provider_unavailable",
}


def say(key: str, language: str, **values: str) -> str:
    """The assistant's own words for an occasion, in the language or else in English."""
    words = WORDS.get(language, WORDS["en"])
    return words[_SAME.get(key, key)].format(site=settings.SITE_NAME, email=settings.SUPPORT_EMAIL, **values)
