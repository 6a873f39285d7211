"""How complaint text is brought into one shape before words are looked for: width, case, script, space, language."""

from __future__ import annotations

import re
import unicodedata

from complaints.domain.vocabulary import Language

#: Traditional characters that occur in complaint words, each followed by its simplified form. Not a full converter:
#: a character that no lexicon word uses need not be here.
_PAIRS = (
    "體体國国學学會会來来時时個个們们這这裡里裏里說说話话電电訊讯號号碼码機机開开關关門门問问題题錯错誤误賣卖買买賬账帳账貨货費费錢钱銀银貸贷債债賠赔償偿購购賴赖質质貴贵賺赚資资額额項项預预頭头顧顾發发單单"
    "訂订遞递達达運运輸输還还換换損损壞坏傷伤殺杀燒烧燙烫過过異异響响應应態态務务員员對对導导騙骗詐诈盜盗隱隐洩泄據据賊贼訴诉訟讼師师報报記记視视證证險险壽寿醫医療疗車车輛辆轉转匯汇進进處处辦办協协議议約约"
    "續续閱阅斷断網网絡络線线頻频燈灯熱热氣气塵尘聲声雜杂環环衛卫區区鄉乡縣县鎮镇歲岁孫孙兒儿婦妇產产養养殘残聾聋啞哑種种語语見见覺觉認认識识該该請请謝谢讓让給给結结繳缴納纳稅税簽签終终級级紅红細细組组統统"
    "經经絕绝維维總总緊紧緒绪縫缝縮缩麼么為为與与無无並并從从後后復复幾几業业樂乐東东兩两嚴严喪丧豐丰臨临爲为義义習习鄰邻優优傳传傾倾僅仅價价儀仪億亿儲储內内兇凶冊册凍冻劃划則则剛刚創创劑剂劇剧勞劳勸劝動动"
    "廠厂廢废廣广廳厅彈弹徵征懷怀懲惩慮虑憂忧戲戏擁拥擇择擔担擊击擾扰攝摄攔拦敗败敵敌數数樣样標标歡欢歐欧歷历毀毁決决沒没淚泪淨净滅灭滿满滯滞濕湿災灾煙烟爛烂爐炉爭争狀状獎奖獲获現现監监盤盘眾众確确礎础禮礼"
    "離离稱称穩稳窩窝競竞筆笔節节範范築筑簡简籤签羅罗聯联職职聽听肅肃腦脑腫肿臟脏臉脸舊旧艙舱藥药蘋苹蟲虫術术衝冲補补裝装製制複复規规親亲觸触計计討讨訓训託托許许設设評评試试詢询誠诚課课調调談谈諾诺講讲譯译"
    "護护變变豬猪負负財财貪贪販贩責责貼贴賓宾賞赏贈赠贏赢趕赶跡迹軟软較较載载輕轻辭辞農农連连遊游遠远適适遲迟選选遺遗郵邮釋释針针鈔钞鉤钩銷销鋪铺鍋锅鍵键鎖锁鐘钟鐵铁長长閃闪閉闭間间陳陈陰阴陸陆隊队階阶際际"
    "隨随難难靜静頁页順顺須须領领願愿類类顏颜風风飛飞飯饭飲饮館馆騎骑驗验驚惊魚鱼鮮鲜麗丽黃黄點点黨党齊齐齒齿龍龙龜龟嗎吗嘆叹嚇吓團团園园圓圆圖图執执場场塊块壓压夠够奪夺妳你實实寫写審审寬宽將将專专尋寻屆届"
    "層层屬属帶带幫帮幹干庫库張张強强當当錄录徑径憑凭戶户掃扫掛挂揚扬搶抢摳抠撥拨檔档檢检櫃柜權权欄栏淺浅測测溫温滾滚潑泼瀏浏灣湾煩烦牆墙瘋疯瘡疮癢痒瞞瞒瞭了矇蒙積积窮穷竊窃罰罚罵骂聞闻脅胁脫脱腳脚舉举蓋盖"
    "蝕蚀衊蔑襪袜詞词誇夸誣诬誰谁謊谎譴谴豎竖賄贿贓赃踐践軍军輯辑迴回鄭郑醬酱鏡镜闖闯雙双韓韩飼饲餓饿餘余髒脏徹彻鬧闹瀆渎儘尽盡尽"
)
_SIMPLIFY = {ord(_PAIRS[i]): _PAIRS[i + 1] for i in range(0, len(_PAIRS), 2)}
_PLAIN = {ord(c): " " for c in "-‐‑‒–—―_/\\|*#\u200b\ufeff"} | {ord(c): "'" for c in "’‘`´ʼ"}
#: Full-width forms are so common in Chinese that they are mapped here; NFKC, ten times slower, is for what is left.
_HALF_WIDTH = {c: chr(c - 0xFEE0).lower() for c in range(0xFF01, 0xFF5F)} | {0x3000: " "}
_TABLE = _SIMPLIFY | _HALF_WIDTH | _PLAIN

_SPACE = re.compile(r"\s+")
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")


def normalise(text: str) -> str:
    """Half width, lower case, simplified characters, straight quotes, single spaces also for hyphens and slashes."""
    plain = text.translate(_TABLE)
    if not unicodedata.is_normalized("NFKC", plain):
        plain = unicodedata.normalize("NFKC", plain).translate(_TABLE)
    return _SPACE.sub(" ", plain.lower()).strip()


def has_cjk(text: str) -> bool:
    """Contains at least one Chinese character."""
    return not text.isascii() and _CJK.search(text) is not None


def language_of(text: str, default: Language = Language.EN) -> Language:
    """The language most of `text` is written in; `default` where there are no letters.

    A Chinese character counts as 0.6 words. English brand and product names are common in Chinese complaints and the
    other way round rare, so Chinese wins as soon as it makes up a third of the words.
    """
    if text.isascii():
        return Language.EN if _LATIN_WORD.search(text) else default
    chinese = 0.6 * sum(len(run) for run in _CJK.findall(text))
    latin = len(_LATIN_WORD.findall(text))
    if not chinese and not latin:
        return default
    return Language.ZH if chinese >= 0.5 * latin else Language.EN
